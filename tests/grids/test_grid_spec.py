import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.grids import grid_spec as grid_axes
from recsparse.grids.grid_spec import GridSpec, GridStatistics

rows = st.tuples(st.integers(0, 3), st.integers(0, 4), st.none() | st.integers(-9, 99))


@given(st.lists(rows, max_size=20), st.integers(1, 7))
def test_statistics_are_those_of_pandas_whatever_the_chunks(some, chunk):
    frame = pd.DataFrame(some, columns=["user_index", "item_index", "timestamp"], dtype="Int64")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid_axes, "CHUNK_ROWS", chunk)
        found = GridStatistics.of(table, 4, 5)
    assert found.user_activity.tolist() == [(frame.user_index == user).sum() for user in range(4)]
    assert found.item_popularity.tolist() == [(frame.item_index == item).sum() for item in range(5)]
    known = [time for _, _, time in some if time is not None]
    assert found.first_second == min(known, default=None)
    assert found.last_second == max(known, default=None)


@pytest.mark.parametrize("column", ["user_index", "item_index"])
def test_an_index_past_the_training_vocabulary_is_refused(column):
    table = pa.table({"user_index": [0, 1], "item_index": [0, 1], "timestamp": [1, 2]})
    sizes = (1, 2) if column == "user_index" else (2, 1)
    with pytest.raises(InputError, match=f"{column} of training rows must be below 1, but row 1"):
        GridStatistics.of(table, *sizes)


def test_the_shape_of_a_block_follows_the_axes():
    statistics = GridStatistics(np.zeros(7, np.int64), np.zeros(3, np.int64), 100, 300)
    spec = GridSpec(
        ("user", "time", "position", "item"), bucket_seconds=50, num_positions=9, block_users=2
    )
    assert statistics.axis_sizes(spec) == (2, 5, 9, 7)
    assert statistics.axis_sizes(GridSpec(axes=("item",))) == (7,)


@pytest.mark.parametrize(
    "spec", [GridSpec(axes=("user", "time")), GridSpec(features=("count", "recency"))]
)
def test_axes_and_channels_of_time_need_a_time(spec):
    statistics = GridStatistics(np.zeros(7, np.int64), np.zeros(3, np.int64), None, None)
    assert statistics.axis_sizes(GridSpec()) == (1024, 7)
    with pytest.raises(InputError, match="there is none; name the column by"):
        statistics.axis_sizes(spec)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"axes": ()}, "axes must be some of user, item, time, position, each at most once"),
        ({"axes": ("user", "user")}, r"each at most once, but are \('user', 'user'\)"),
        ({"features": ()}, "features must be some of weight, rating"),
        ({"features": ("count", "count")}, "features must be some of"),
        ({"axes": ("item", "user")}, "the user axis must come first"),
        ({"block_users": 0}, "block_users must be at least 1, but is 0"),
        ({"bucket_seconds": -5}, "bucket_seconds must be at least 1, but is -5"),
        ({"num_positions": 0}, "num_positions must be at least 1, but is 0"),
    ],
)
def test_a_spec_that_means_nothing_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        GridSpec(**settings)


def test_an_unknown_axis_is_refused(unchecked_types):
    with pytest.raises(InputError, match="axes must be some of"):
        GridSpec(axes=("user", "place"))
