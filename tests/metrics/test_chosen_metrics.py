import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.ranking_metrics import FORMULAS, coverage, ranking_metrics

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
    assert chosen.coverage(LISTS, 5) == {"coverage@2": coverage(LISTS, 5, 2)}
    assert chosen.longest == 3


def test_all_stands_for_every_metric_at_a_length():
    chosen = ChosenMetrics(["mrr@1", "all@2"])
    plain = ranking_metrics(LISTS, TARGETS, [1, 2])
    found = chosen.per_user(LISTS, TARGETS)
    at_two = [name.replace("@k", "@2") for name in FORMULAS]
    assert [*found, *chosen.coverage(LISTS, 4)] == ["mrr@1", *at_two]
    for name, values in found.items():
        np.testing.assert_array_equal(values, plain[name])


@pytest.mark.parametrize("names", [[], [SECOND], ["ndcg@0"]])
def test_lists_must_have_a_length(names):
    with pytest.raises(InputError, match="named with list lengths of at least 1, but are"):
        ChosenMetrics(names)
