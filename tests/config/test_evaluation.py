import logging

import pytest

from recsparse.config.evaluation import EvaluationConfig
from recsparse.config.toml_reader import load_config, parse_config
from recsparse.errors import ConfigError


def judge(recommended, targets):
    """Nobody calls it here."""


OWN = f"{__name__}:judge"


def evaluation(**values):
    return parse_config({"evaluation": values}).evaluation


@pytest.mark.parametrize(
    ("values", "metrics", "told"),
    [
        ({"k": [10, 20]}, ("all@10", "all@20"), None),
        ({"k": [10, 20], "metrics": []}, ("all@10", "all@20"), None),
        ({"k": [5]}, ("all@5",), "which is ['all@5'] here"),
        ({"k": [5], "metrics": [OWN]}, ("all@5", OWN), f"which is ['all@5', '{OWN}'] here"),
        ({"k": [10, 20], "metrics": ["ndcg@5"]}, ("ndcg@5",), None),
    ],
)
def test_list_lengths_of_older_builds_are_read(values, metrics, told, caplog):
    with caplog.at_level(logging.WARNING):
        assert evaluation(**values).metrics == metrics
    assert (told or "") in caplog.text
    assert bool(caplog.text) == (told is not None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": [5], "metrics": ["ndcg@5"]}, "k is a setting of older builds.*; leave k out"),
        ({"k": [0]}, r"metrics\[0\] is wrong: .*'all@0'"),
        ({"k": "ten"}, "unknown key 'evaluation.k'"),
        ({"metrics": [OWN]}, f"how long the lists are: name one .* as in ndcg@10 or {OWN}@10"),
        (
            {"metrics": ["coverage@10"]},
            "one of each user, such as ndcg@10, but has coverage@10 alone",
        ),
        (
            {"metrics": [f"{OWN}@5", "other:judge@5"]},
            "ones, but are other:judge@5, tests",
        ),
        ({"metrics": [f"{OWN}@5"], "select_by": "other:judge@5"}, "must have different ones, but"),
        (
            {"metrics": ["f1@10"]},
            r"metrics\[0\] is wrong: it must be one of those that .* or a function of your own",
        ),
        ({"k": [5], "metrics": "ndcg@5"}, "metrics is wrong: it must be a list, as in"),
        ({"metrics": ["ndcg"]}, r"metrics\[0\] is wrong: .* the nearest is ndcg@10,"),
        ({"metrics": ["ndgc@25"]}, r"metrics\[0\] is wrong: .* the nearest is ndcg@25,"),
        ({"metrics": ["Recall @ 7"]}, "the nearest is recall@7,"),
        ({"metrics": ["ndcg@0"]}, "the nearest is ndcg@10,"),
        ({"metrics": ["auc@10"]}, "the nearest is auc,"),
        ({"metrics": ["auc"]}, "how long the lists are: name one .* as in ndcg@10 or recall@10"),
        ({"metrics": ["gini@5", "entropy@5"]}, "but has gini@5 and entropy@5 alone"),
        ({"sampled_negatives": 0}, "sampled_negatives is wrong: it must be greater than or equal"),
        ({"select_by": "gini@10"}, "select_by is wrong: it must be a metric of lists and their"),
        (
            {"select_by": "coverage@10"},
            "select_by is wrong: it must be a metric of lists and their targets .ndcg",
        ),
        ({"select_by": OWN}, "select_by is wrong: .* as my_module:my_metric@10, but got"),
    ],
)
def test_metrics_that_cannot_be_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        evaluation(**values)


@pytest.mark.parametrize("key", ["metrics=['NAME@5']", "select_by=NAME@5"])
def test_a_module_that_the_caller_names_is_imported_or_refused(key):
    assert load_config(None, [f"evaluation.{key.replace('NAME', OWN)}"])
    with pytest.raises(ConfigError, match="must name a module that can be imported, but 'nowhere'"):
        load_config(None, [f"evaluation.{key.replace('NAME', 'nowhere:judge')}"])


def test_the_default_is_every_metric_at_10_and_20():
    assert EvaluationConfig().metrics == ("all@10", "all@20")
