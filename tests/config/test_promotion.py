import pytest
from pydantic import ValidationError

from recsparse.config.promotion import PromotionConfig, metric_in
from recsparse.config.toml_reader import load_config
from recsparse.errors import ConfigError


@pytest.mark.parametrize(
    ("figure", "metric"),
    [
        ("coverage@10", "coverage@10"),
        ("hit_rate@5", "hit_rate@5"),
        ("new_users_recall@20", "recall@20"),
        ("known_users_hit_rate@5", "hit_rate@5"),
    ],
)
def test_a_guard_names_a_metric_or_one_of_a_group(figure, metric):
    assert metric_in(figure) == metric
    assert PromotionConfig(guards={figure: 0.1}).metrics() == ["ndcg@10", metric]


@pytest.mark.parametrize("figure", ["", "coverage", "all@10", "new_users", "ndgc@10"])
def test_a_guard_that_is_no_metric_is_refused_before_any_work(figure):
    with pytest.raises(ValidationError, match="a guard must be a metric at the length of a list"):
        PromotionConfig(guards={figure: 0.1})


def test_not_worse_needs_to_know_by_how_much():
    with pytest.raises(ConfigError, match="margin must be above 0 with the rule not_worse"):
        load_config(None, ["promotion.rule=not_worse"])
    settings = ["promotion.rule=not_worse", "promotion.margin=0.02"]
    assert load_config(None, settings).promotion.margin == 0.02


@pytest.mark.parametrize(
    "setting", ["p=0", "p=0.5", "margin=-0.1", "margin=1", "min_users=1", "metric=coverage@10",
                'guards={"coverage@10"=1.5}'],
)  # fmt: skip
def test_what_no_rule_can_be_made_of_is_refused(setting):
    with pytest.raises(ConfigError):
        load_config(None, [f"promotion.{setting}"])
