import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from recsparse.metrics.list_totals import exposure, list_totals

LISTS = np.array([[0, 1, -1], [1, 3, 4], [1, -1, -1]])
NAMES = ("coverage", "user_coverage", "gini", "entropy")


def every(number):
    return np.ones(number, dtype=bool)


def random_lists(users, items, seed):
    rng = np.random.default_rng(seed)
    lists = np.argsort(rng.random((users, items)) ** np.arange(1, items + 1), axis=1)[:, :3]
    return np.where(rng.random(lists.shape) < 0.2, -1, lists)


def test_coverage_counts_each_item_once_and_no_empty_place():
    assert list_totals("coverage", LISTS, 2, every(8)) == 3 / 8
    assert list_totals("coverage", LISTS, 3, every(8)) == 4 / 8


def test_items_that_may_not_be_ranked_are_not_counted():
    candidates = np.array([True, True, False, True, True])
    assert list_totals("coverage", LISTS, 3, candidates) == 1.0
    assert list_totals("gini", np.array([[0], [1], [3], [4]]), 1, candidates) == 0.0


def test_users_are_covered_by_any_item():
    lists = np.array([[0, 1], [-1, -1], [3, -1]])
    assert list_totals("user_coverage", lists, 2, every(5)) == 2 / 3


@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 999))
def test_gini_is_the_mean_difference_of_two_items_over_twice_the_mean(users, items, seed):
    lists = random_lists(users, items, seed)
    shown = exposure(lists, 3, items)
    found = list_totals("gini", lists, 3, every(items))
    if not shown.any():
        assert math.isnan(found)
        return
    differences = [abs(int(a) - int(b)) for a, b in itertools.product(shown, shown)]
    assert found == pytest.approx(np.mean(differences) / (2 * shown.mean()), abs=1e-12)
    assert 0 <= found < 1


@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 999))
def test_entropy_is_that_of_scipy(users, items, seed):
    lists = random_lists(users, items, seed)
    shown = exposure(lists, 2, items)
    found = list_totals("entropy", lists, 2, every(items))
    expected = entropy(shown, base=2) if shown.any() else math.nan
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_one_item_in_all_lists_is_as_uneven_as_can_be():
    lists = np.zeros((5, 1), dtype=int)
    assert list_totals("gini", lists, 1, every(4)) == 3 / 4
    assert list_totals("entropy", lists, 1, every(4)) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_without_items_a_figure_is_undefined(name):
    assert math.isnan(list_totals(name, np.full((1, 1), -1), 1, every(0)))


def test_without_lists_nothing_is_covered_and_all_else_is_undefined():
    nobody = np.zeros((0, 2), dtype=int)
    assert list_totals("coverage", nobody, 2, every(3)) == 0.0
    assert all(math.isnan(list_totals(name, nobody, 2, every(3))) for name in NAMES[1:])
