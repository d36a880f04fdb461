"""Rows as frames: logs of a few users and items, many of whose rows agree; those of a dataset."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows

COLUMNS = ["user", "timestamp", "item", "rating", "weight", "part"]
row = st.tuples(
    st.integers(0, 3),
    st.none() | st.integers(-2, 3),
    st.integers(0, 4),
    st.none() | st.integers(1, 3),
    st.integers(0, 4).map(lambda weight: weight / 2),
    st.integers(0, 2),
)
logs = st.lists(row, max_size=24)


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"timestamp": "Float64", "rating": "Float64"})


def rows_of(frame, part=False):
    return Rows(
        frame["user"].to_numpy(np.int32),
        frame["item"].to_numpy(np.int32),
        frame["weight"].to_numpy(np.float32),
        frame["timestamp"].fillna(NO_TIME).to_numpy(np.int64),
        frame["rating"].fillna(float(NO_RATING)).to_numpy(np.float32),
        part=frame["part"].to_numpy(np.uint8) if part else None,
    )


def in_order(rows, part=False):
    """Return a log as it is sorted: what is unknown comes first."""
    keys = COLUMNS if part else COLUMNS[:-1]
    return frame_of(rows).sort_values(keys, na_position="first", ignore_index=True)


def lists(rows):
    return {name: column.tolist() for name, column in rows.columns.items()}


def whole_users(rows, least_rows):
    """Return blocks of whole users; each ends with the user that brings it to so many rows."""
    cuts = [0]
    for place in range(1, len(rows) + 1):
        is_end = place == len(rows) or rows.user[place] != rows.user[place - 1]
        if place == len(rows) or (is_end and place - cuts[-1] >= least_rows):
            cuts.append(place)
    return [rows.take(slice(start, end)) for start, end in pairwise(cuts)]


def all_rows(data):
    """Return the rows of all parts of a dataset, with their ids."""
    return pa.concat_tables([data.with_ids(table) for table in data.split.all])
