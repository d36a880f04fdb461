from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.profiling.counts import Profile
from recsparse.datasets.profiling.figures import (
    gini,
    profile_figures,
    rating_histogram,
    spread,
    top_share,
)

counts = st.lists(st.integers(0, 1000), min_size=1, max_size=30).map(np.array)
some_counts = counts.filter(lambda numbers: numbers.sum() > 0)


@given(some_counts)
def test_gini_is_the_mean_difference_over_twice_the_mean(numbers):
    differences = [abs(float(a) - float(b)) for a in numbers for b in numbers]
    assert gini(numbers) == pytest.approx(np.mean(differences) / (2 * np.mean(numbers)), abs=1e-12)


@given(some_counts, st.sampled_from([0.01, 0.1, 0.5, 1.0]))
def test_the_top_share_is_that_of_the_first_once_sorted(numbers, share):
    top = sorted(numbers.tolist(), reverse=True)[: max(1, int(len(numbers) * share))]
    assert top_share(numbers, share) == sum(top) / numbers.sum()


@pytest.mark.parametrize("none", [np.zeros(0, dtype=np.int64), np.zeros(3, dtype=np.int64)])
def test_nothing_has_no_share_and_no_inequality(none):
    assert np.isnan(gini(none))
    assert np.isnan(top_share(none, 0.1))


@given(counts)
def test_the_spread_is_that_of_numpy(numbers):
    assert spread(numbers) == {
        "minimum": min(numbers),
        "25 %": np.percentile(numbers, 25),
        "median": np.median(numbers),
        "75 %": np.percentile(numbers, 75),
        "90 %": np.percentile(numbers, 90),
        "99 %": np.percentile(numbers, 99),
        "maximum": max(numbers),
        "mean": pytest.approx(np.mean(numbers)),
    }


def test_no_rows_have_no_figures_but_zeros():
    assert profile_figures(Profile.of_size(0, 0), 0) == {
        "grid": {"users": 0, "items": 0, "active cells": 0}
    }


def test_ids_without_rows_do_not_count():
    profile = Profile(np.array([3, 0, 1]), np.array([0, 4]))
    found = profile_figures(profile, num_cells=2)
    assert found["grid"] == {
        "users": 2,
        "items": 1,
        "active cells": 2,
        "share of active cells": 2 / (2 * 1),
    }
    assert found["rows per user"]["minimum"] == 1


def test_times_beyond_the_calendar_of_python_are_told():
    # 2024-01-01 in milliseconds, taken for seconds.
    second = 1_704_067_200_000
    profile = Profile(
        np.array([1]), np.array([1]), Counter({0: 1}), first_second=0, last_second=second
    )
    assert profile_figures(profile, 1)["time"]["last event"].startswith("55969-")


def test_many_different_ratings_fall_into_ranges():
    ratings = Counter({number / 4: number for number in range(101)})
    profile = Profile(np.array([1]), np.array([1]), rows_of_rating=ratings)
    found = rating_histogram(profile, most=5)
    edges = [0, 5, 10, 15, 20, 25]
    assert found == {
        f"{low} to {high}": sum(
            number
            for value, number in ratings.items()
            if low <= value < high or (value == high == 25)
        )
        for low, high in pairwise(edges)
    }
