"""A small log and the parts that a split gives its rows."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from recsparse.config.data import SplitConfig
from recsparse.datasets.building.clean import clean_rows
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.building.split import plan_split
from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows
from recsparse.datasets.parts import PART_NAMES, TRAIN
from tests.row_frames import whole_users


def random_log(num_users, num_rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, num_users, num_rows), rng.integers(0, 20, num_rows)


def hashes(size, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, size, dtype=np.uint64)


def sorted_log(users, times=None, given=None):
    """Return rows by user and time, whose item is their place in the log."""
    times = range(len(users)) if times is None else times
    frame = pd.DataFrame({"user": list(users), "time": list(times)}).reset_index()
    frame["time"] = pd.array(frame["time"], dtype="Int64")
    frame["part"] = TRAIN if given is None else given
    frame = frame.sort_values(["user", "time", "index"], na_position="first")
    size = len(frame)
    return Rows(
        frame["user"].to_numpy(np.int32),
        frame["index"].to_numpy(np.int32),
        np.ones(size, dtype=np.float32),
        frame["time"].fillna(NO_TIME).to_numpy(np.int64),
        np.full(size, NO_RATING),
        None if given is None else frame["part"].to_numpy(np.uint8),
    )


def parts(work, users, times=None, given=None, seed=0, block_rows=10, **settings):
    """Return the places of the rows of each part."""
    rows = sorted_log(users, times, given)
    num_users = int(rows.user.max(initial=-1)) + 1
    path = work.folder / "clean.arrow"
    blocks = whole_users(rows, block_rows) or [rows]
    clean = clean_rows(blocks, path, (num_users, len(rows)), "keep", None, (1, 1))
    keys = Keys.of(hashes(num_users), hashes(len(rows), 1), seed)
    assign = plan_split(clean, keys, SplitConfig(**settings), work)
    found = {name: [] for name in PART_NAMES}
    for block in clean.blocks():
        assigned = assign(block)
        for number, name in enumerate(PART_NAMES):
            found[name] += block.item[assigned == number].tolist()
    return {name: sorted(places) for name, places in found.items()}


logs = st.builds(random_log, st.integers(1, 5), st.integers(0, 60), st.integers(0, 99))
shares = st.sampled_from([0.1, 0.2, 0.3, 0.45])
