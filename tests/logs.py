"""Tiny logs and the settings to prepare them with, for hypothesis."""

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from tests.plain_prepare import ORDER
from tests.prepared import ids

row = st.tuples(
    st.integers(0, 4), st.integers(0, 40), st.integers(0, 5), st.none() | st.integers(1, 3),
    st.integers(0, 4).map(lambda weight: weight / 2),
)  # fmt: skip

SPLIT_SETTINGS = {
    "random": ["split.test=0.3", "split.validation=0.3"],
    "folds of rows": ["split.folds=3", "split.fold=1", "split.validation=0.3"],
    "leave_last_out": ["split.kind=leave_last_out"],
    "two left out": ["split.kind=leave_last_out", "split.last=2"],
    "global_time": ["split.kind=global_time", "split.test=0.2", "split.validation=0.2"],
    "from a time": ["split.kind=global_time", "split.validation_from='1970-01-11T00:00:00'",
                    "split.test_from='1970-01-21T00:00:00'"],
    "time_window": ["split.kind=time_window", "split.train_from='1970-01-03'",
                    "split.validation_from='1970-01-15'", "split.known_until='1970-01-25'",
                    "split.test_from='1970-01-27'", "split.test_until='1970-02-06'"],
    "held_out_users": ["split.kind=held_out_users", "split.test=0.3", "split.validation=0.3"],
    "folds of users": ["split.kind=held_out_users", "split.folds=2", "split.validation=0.3"],
    "held_out_items": ["split.kind=held_out_items", "split.test=0.3", "split.validation=0.3",
                       "split.known_targets=0"],
    "items of both kinds": ["split.kind=held_out_items", "split.test=0.2", "split.validation=0.2",
                            "split.known_targets=0.2"],
    "given": ["split.kind=given", "split.validation=0.3"],
}  # fmt: skip
DUPLICATES = {
    "last": [],
    "sum": ["log.duplicates=sum"],
    "sum of aged": ["log.duplicates=sum", "log.half_life_days=10"],
    "keep": ["log.duplicates=keep"],
}


@st.composite
def logs(draw, min_size=0, max_size=40):
    """Return a frame with the columns of the plain dataset and `part`, times in days."""
    rows = draw(st.lists(row, min_size=min_size, max_size=max_size))
    frame = pd.DataFrame(rows, columns=ORDER).astype({"rating": "Float64"})
    frame["time"] *= 86_400
    size = len(frame)
    parts = st.lists(st.sampled_from(["train", "train", "test"]), min_size=size, max_size=size)
    frame["part"] = draw(parts)
    if draw(st.booleans()):
        frame = frame.assign(
            user=[f"user {user}" for user in frame["user"]],
            item=[f"é{item}" for item in frame["item"]],
        )
    return frame


def log_of(frame) -> pa.Table:
    """Return the frame as a log."""
    return pa.table(
        {
            "user_id": ids(frame["user"].tolist()),
            "item_id": ids(frame["item"].tolist()),
            "timestamp": pa.array(frame["time"], pa.int64()),
            "rating": pa.array(frame["rating"], pa.float32(), from_pandas=True),
            "weight": pa.array(frame["weight"], pa.float32()),
            "part": pa.array(frame["part"], pa.string()),
        }
    )
