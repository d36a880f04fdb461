import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.list_context import ListContext
from recsparse.metrics.ranking_metrics import ranking_metrics

LISTS = torch.tensor([[0, 3, 1], [2, 1, -1], [3, 2, 1]])
TARGETS = csr_matrix([[0.0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]])


def second(recommended, targets):
    return recommended[:, 1]


SECOND = f"{__name__}:second"


def test_the_order_is_that_of_the_names_and_nothing_comes_twice():
    names = ["recall@3", SECOND, "ndcg@1", f"{SECOND}@2", "recall@3", "coverage@2"]
    chosen = ChosenMetrics(names)
    found = chosen.per_user(LISTS, TARGETS)
    assert [*found] == ["recall@3", "second", "ndcg@1", "second@2"]
    np.testing.assert_array_equal(found["second"], [3, np.nan, 2])
    plain = ranking_metrics(LISTS, TARGETS, [1, 3])
    for name in ("recall@3", "ndcg@1"):
        np.testing.assert_array_equal(found[name], plain[name])
    assert chosen.of_all_lists(LISTS, np.ones(5, dtype=bool)) == {"coverage@2": 4 / 5}
    assert chosen.longest == 3


def test_all_stands_for_every_metric_at_a_length():
    chosen = ChosenMetrics(["mrr@1", "all@2"])
    plain = ranking_metrics(LISTS, TARGETS, [1, 2])
    found = chosen.per_user(LISTS, TARGETS)
    assert [*found] == [
        "mrr@1", "ndcg@2", "recall@2", "precision@2", "map@2", "mrr@2", "hit_rate@2",
    ]  # fmt: skip
    assert chosen.of_all_lists(LISTS, np.ones(4, dtype=bool)) == {"coverage@2": 4 / 4}
    for name, values in found.items():
        np.testing.assert_array_equal(values, plain[name])


@pytest.mark.parametrize("names", [[], [SECOND], ["ndcg@0"]])
def test_lists_must_have_a_length(names):
    with pytest.raises(InputError, match="named with list lengths of at least 1, but are"):
        ChosenMetrics(names)


def test_auc_is_what_was_measured_of_scores():
    chosen = ChosenMetrics(["ndcg@2", "auc"])
    assert chosen.wants_scores
    given = {"auc": np.array([0.25, np.nan, 1.0])}
    found = chosen.per_user(LISTS, TARGETS, of_scores=given)
    assert [*found] == ["ndcg@2", "auc"]
    np.testing.assert_array_equal(found["auc"], given["auc"])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("novelty@2", "novelty@2 needs the training rows of each item; or leave it out"),
        ("ild@2", "ild@2 needs features of items: words, .* features.vectors when"),
        ("calibration@2", "calibration@2 needs categories of items; name columns of a table"),
    ],
)
def test_a_metric_whose_need_is_missing_says_what_to_do(metric, message):
    with pytest.raises(InputError, match=message):
        ChosenMetrics(["ndcg@2", metric])


def test_beyond_leaves_out_what_cannot_be_measured_and_says_so(caplog):
    chosen = ChosenMetrics(["ndcg@2", "beyond@2"], ListContext(np.array([3.0, 2, 1, 0])))
    history = csr_matrix([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    found = chosen.per_user(LISTS, TARGETS, history)
    assert [*found] == [
        "ndcg@2", "novelty@2", "arp@2", "aplt@2", "popularity_lift@2", "new_items@2",
    ]  # fmt: skip
    assert "beyond@2 leaves out ild@2, unexpectedness@2, serendipity@2, calibration" in caplog.text
    of_all = chosen.of_all_lists(LISTS, np.ones(4, dtype=bool))
    assert [*of_all] == ["coverage@2", "user_coverage@2", "gini@2", "entropy@2"]


def test_a_metric_that_compares_with_histories_needs_them():
    chosen = ChosenMetrics(["popularity_lift@2"], ListContext(np.ones(4)))
    with pytest.raises(InputError, match="lists must come with their users' histories"):
        chosen.per_user(LISTS, TARGETS)
