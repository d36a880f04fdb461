from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.indexed_rows import INDEXED_SCHEMA, NO_RATING, NO_TIME, Rows
from recsparse.datasets.profiling.counts import Profile, indexed_blocks

USERS, ITEMS, DAY = 4, 6, 86_400


def random_frame(size, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user_index": rng.integers(0, USERS, size),
            "item_index": rng.integers(0, ITEMS, size),
            "weight": rng.random(size),
            "timestamp": pd.array(rng.integers(-9 * DAY, 9 * DAY, size), dtype="Int64"),
            "rating": pd.array(rng.integers(-3, 11, size) / 2, dtype="Float64"),
        }
    )
    frame.loc[rng.random(size) < 0.2, "timestamp"] = pd.NA
    frame.loc[rng.random(size) < 0.2, "rating"] = pd.NA
    return frame


def profiled(frame, block_rows):
    profile = Profile.of_size(USERS, ITEMS)
    for start in range(0, len(frame), block_rows):
        table = pa.Table.from_pandas(
            frame[start : start + block_rows], INDEXED_SCHEMA, preserve_index=False
        )
        for rows in indexed_blocks(table):
            profile.add(rows)
    return profile


@given(st.integers(0, 50), st.integers(1, 60), st.integers(0, 99))
def test_counts_are_those_of_pandas_whatever_the_blocks(size, block_rows, seed):
    frame = random_frame(size, seed)
    found = profiled(frame, block_rows)
    for name, counts, number in (
        ("user_index", found.rows_of_user, USERS),
        ("item_index", found.rows_of_item, ITEMS),
    ):
        expected = frame[name].value_counts().reindex(range(number), fill_value=0)
        assert counts.tolist() == expected.tolist()
    times = frame["timestamp"].dropna().astype("int64")
    days = pd.to_datetime(times, unit="s").dt.normalize()
    epoch = pd.Timestamp(0)
    assert found.rows_of_day == {(day - epoch).days: n for day, n in days.value_counts().items()}
    assert (found.first_second, found.last_second) == (
        (times.min(), times.max()) if len(times) else (None, None)
    )
    assert found.rows_of_rating == frame["rating"].dropna().value_counts().to_dict()
    assert found.rating_sum == frame["rating"].sum()
    assert found.num_rows == size


@pytest.mark.parametrize(
    ("rating", "kept"),
    [(0.0, 0.0), (4.1, 4.1), (-2.5, -2.5), (1234.5, 1230.0), (0.0123456, 0.0123), (9.999, 10.0)],
)
def test_ratings_are_counted_to_three_digits(rating, kept):
    assert profiled_ratings([rating]).rows_of_rating == {kept: 1}


def test_the_mean_is_of_the_ratings_as_they_are():
    assert profiled_ratings([1.25, 1.2501]).rating_sum == pytest.approx(1.25 + 1.2501, abs=1e-6)


def test_a_rating_that_is_not_finite_is_no_rating():
    assert profiled_ratings([np.inf, np.nan, NO_RATING, 3.0]).rows_of_rating == Counter({3.0: 1})


def profiled_ratings(ratings):
    size = len(ratings)
    zeros = np.zeros(size, dtype=np.int32)
    times = np.full(size, NO_TIME)
    profile = Profile.of_size(1, 1)
    profile.add(Rows(zeros, zeros, np.ones(size), times, np.array(ratings, dtype=np.float32)))
    return profile
