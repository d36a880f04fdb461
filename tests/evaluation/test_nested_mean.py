"""Means over splits against scipy, a balanced two-way analysis by hand, and simulations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsparse.evaluation.nested_mean import nested_mean


def test_one_split_is_the_t_test_over_its_users():
    values = np.array([0.1, 0.4, np.nan, 0.3, -0.2])
    found = nested_mean([values])
    expected = stats.ttest_1samp(values[~np.isnan(values)], 0)
    assert found.mean == pytest.approx((0.1 + 0.4 + 0.3 - 0.2) / 4)
    assert found.p_value() == pytest.approx(expected.pvalue)
    assert found.interval() == pytest.approx(expected.confidence_interval())
    assert (found.num_splits, found.num_users) == (1, 4)
    assert np.isnan(found.between)


def test_splits_without_a_shared_user_are_the_t_test_over_their_means():
    rng = np.random.default_rng(0)
    values = [rng.normal(place, 1, 50 + 10 * number) for number, place in enumerate([0, 2, 1, 4])]
    found = nested_mean(values)
    expected = stats.ttest_1samp([some.mean() for some in values], 0)
    assert found.p_value() == pytest.approx(expected.pvalue)
    assert found.interval() == pytest.approx(expected.confidence_interval())
    assert found.freedom == pytest.approx(3)
    assert found.num_users == 50 + 60 + 70 + 80
    assert found.within == pytest.approx(np.mean([some.var(ddof=1) for some in values]))
    by_users = np.mean([some.var(ddof=1) / len(some) for some in values])
    assert found.between == pytest.approx(
        np.var([each.mean() for each in values], ddof=1) - by_users
    )


def test_seeds_on_the_same_users_are_the_balanced_two_way_analysis_of_variance():
    rng = np.random.default_rng(1)
    seeds, users = 4, 30
    table = (
        rng.normal(0, 2, (users, 1))
        + rng.normal(0, 1, (1, seeds))
        + rng.normal(0, 1, (users, seeds))
    )
    found = nested_mean([*table.T], [np.arange(users)] * seeds)
    # Mean squares of rows, columns and the rest, and what they estimate (Searle et al., ch. 4.3).
    rest = table - table.mean(0) - table.mean(1)[:, None] + table.mean()
    of_users = seeds * table.mean(1).var(ddof=1)
    of_seeds = users * table.mean(0).var(ddof=1)
    of_rest = (rest**2).sum() / ((seeds - 1) * (users - 1))
    user, seed = (of_users - of_rest) / seeds, (of_seeds - of_rest) / users
    assert found.between == pytest.approx(seed)
    assert found.error**2 == pytest.approx(seed / seeds + user / users + of_rest / (seeds * users))


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_error_is_that_of_a_simulation_with_known_components(is_shared):
    rng, seeds, users = np.random.default_rng(2), 5, 40
    of_seed, of_user, of_rest = 0.25, 1.0, 0.5
    means, squares, betweens, hits = [], [], [], 0
    for _ in range(1_500):
        user = rng.normal(0, of_user**0.5, users)
        some = [
            3.0
            + rng.normal(0, of_seed**0.5)
            + (user if is_shared else rng.normal(0, of_user**0.5, users))
            + rng.normal(0, of_rest**0.5, users)
            for _ in range(seeds)
        ]
        found = nested_mean(some, [np.arange(users)] * seeds if is_shared else None)
        low, high = found.interval()
        hits += low <= 3.0 <= high
        means.append(found.mean)
        squares.append(found.error**2)
        betweens.append(found.between)
    by_users = of_user / users if is_shared else of_user / (users * seeds)
    known = of_seed / seeds + by_users + of_rest / (users * seeds)
    assert np.var(means) == pytest.approx(known, rel=0.1)
    assert np.mean(squares) == pytest.approx(known, rel=0.05)
    assert np.mean(betweens) == pytest.approx(of_seed, rel=0.05)
    assert hits / 1_500 == pytest.approx(0.95, abs=0.02)


@given(st.lists(st.lists(st.floats(0, 1), max_size=4), max_size=4))
def test_any_sizes_have_a_mean_and_no_warning(some):
    found = nested_mean([np.array(each, dtype=np.float64) for each in some])
    filled = [each for each in some if each]
    assert found.num_splits == len(filled)
    if not filled:
        assert np.isnan(found.mean)
        return
    assert found.mean == pytest.approx(np.mean([np.mean(each) for each in filled]))
    low, high = found.interval()
    assert np.isnan(low) or low - 1e-12 <= found.mean <= high + 1e-12
    p_value = found.p_value()
    assert np.isnan(p_value) or 0 <= p_value <= 1
    if len(filled) == 1 and len(filled[0]) == 1:
        assert np.isnan(found.error)


def test_equal_values_everywhere_are_sure():
    found = nested_mean([np.full(3, 0.5), np.full(2, 0.5)])
    assert (found.error, found.interval(), found.p_value()) == (0.0, (0.5, 0.5), 0.0)
    assert nested_mean([np.zeros(3), np.zeros(3)]).p_value() == 1.0
