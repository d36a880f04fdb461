import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from recsparse.evaluation.bootstrap import bootstrap_sums, sign_flip_sums

SMALL_AND_LARGE = [12, 999, 1000, 20_001]


def drawn(num_users, columns=1, seed=0):
    return np.random.default_rng(seed).exponential(1.0, (num_users, columns))


@pytest.mark.parametrize("num_users", SMALL_AND_LARGE)
def test_means_of_draws_spread_as_the_standard_error_says(num_users):
    values = drawn(num_users)
    both = np.hstack([values, np.ones((num_users, 1))])
    sums = bootstrap_sums(both, draws=4000)
    means = sums[:, 0] / sums[:, 1]
    error = values.std() / math.sqrt(num_users)
    # Of 4,000 draws, the deviation is known to one part in √8,000.
    assert means.std() == pytest.approx(error, rel=5 / math.sqrt(8000))
    assert means.mean() == pytest.approx(values.mean(), abs=5 * error / math.sqrt(4000))


@pytest.mark.parametrize("num_users", [40, 3000])
def test_percentiles_are_those_of_scipys_bootstrap(num_users):
    values = drawn(num_users)
    both = np.hstack([values, np.ones((num_users, 1))])
    sums = bootstrap_sums(both)
    found = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    scipys = bootstrap(
        (values[:, 0],), np.mean, method="percentile", n_resamples=10_000, batch=500, rng=1
    ).confidence_interval
    error = values.std() / math.sqrt(num_users)
    # A percentile of 10,000 draws has a standard error of .027 of these.
    assert found.tolist() == pytest.approx([*scipys], abs=5 * math.sqrt(2) * 0.027 * error)


@pytest.mark.parametrize("num_users", [5, 1500])
def test_columns_share_their_draws_and_a_seed_gives_the_same_draws(num_users):
    values = drawn(num_users)
    sums = bootstrap_sums(np.hstack([values, 3 * values]), draws=50, seed=4)
    assert sums[:, 1] == pytest.approx(3 * sums[:, 0], rel=1e-5)
    alone = bootstrap_sums(values, 50, 4)
    assert alone == pytest.approx(sums[:, :1], rel=1e-5)
    np.testing.assert_array_equal(bootstrap_sums(values, 50, 4), alone)
    assert bootstrap_sums(values, 50, 5) != pytest.approx(alone, rel=1e-5)


def test_weights_of_many_users_have_the_mean_and_variance_of_poisson():
    sums = bootstrap_sums(np.eye(2000), draws=500)
    assert np.array_equal(sums, np.rint(sums))
    assert sums.mean() == pytest.approx(1, abs=5 / math.sqrt(1e6))
    assert sums.var() == pytest.approx(1, abs=5 * math.sqrt(3 / 1e6))
    share = (sums == 0).mean()
    assert share == pytest.approx(math.exp(-1), abs=5 * math.sqrt(0.25 / 1e6))


@given(st.integers(1, 8), st.integers(0, 99))
def test_few_users_get_all_signs_there_are(num_users, seed):
    values = drawn(num_users, seed=seed)[:, 0]
    expected = [0.0]
    for value in values:
        expected = [total + sign * value for total in expected for sign in (1, -1)]
    found = sign_flip_sums(values[:, None]).ravel()
    assert sorted(found) == pytest.approx(sorted(expected))


def test_signs_of_many_users_are_fair_and_alike_in_all_columns():
    values = drawn(700)
    sums = sign_flip_sums(np.hstack([values, -values]), draws=4000)
    assert sums[:, 1] == pytest.approx(-sums[:, 0], rel=1e-5)
    deviation = math.sqrt((values**2).sum())
    assert sums[:, 0].std() == pytest.approx(deviation, rel=5 / math.sqrt(8000))
    assert sums[:, 0].mean() == pytest.approx(0, abs=5 * deviation / math.sqrt(4000))


def test_no_users_give_no_sums():
    assert bootstrap_sums(np.zeros((0, 2)), draws=3).tolist() == [[0, 0]] * 3
    assert sign_flip_sums(np.zeros((0, 2))).tolist() == [[0, 0]]
