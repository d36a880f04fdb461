import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.building.clean import clean_rows
from recsparse.datasets.building.part_files import Axis, part_rows, write_parts
from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows, open_indexed
from recsparse.datasets.parts import PART_NAMES
from recsparse.datasets.vocabulary import Vocabulary
from tests.row_frames import whole_users

COLUMNS = ["user", "item", "weight", "time", "part"]
row = st.tuples(
    st.integers(0, 4), st.integers(0, 5), st.integers(1, 4), st.none() | st.integers(-3, 9),
    st.integers(0, 4),
)  # fmt: skip
logs = st.lists(row, min_size=1, max_size=30)
USERS, ITEMS = [10, 11, 12, 13, 14], [*"abcdef"]


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"time": "Int64"})
    return frame.sort_values(["user", "time", "item"], na_position="first", ignore_index=True)


def parted(folder, frame, kept=(0, 0), block_rows=7):
    """Return rows that are parted as the frame says."""
    rows = Rows(
        frame["user"].to_numpy(np.int32),
        frame["item"].to_numpy(np.int32),
        frame["weight"].to_numpy(np.float32),
        frame["time"].fillna(NO_TIME).to_numpy(np.int64),
        np.full(len(frame), NO_RATING),
        part=frame["part"].to_numpy(np.uint8),
    )
    blocks = whole_users(rows, block_rows)
    clean = clean_rows(blocks, folder / "clean", (5, 6), "keep", None, (1, 1))
    ids = Vocabulary(pa.array(USERS)), Vocabulary(pa.array(ITEMS))
    return part_rows(clean, lambda block: block.part, folder / "parts", ids, kept)


def axis_of(index, part, names, kept):
    """Return the ids with training rows or kept, and the other ids that occur."""
    trained = {*index[part == 0], *range(kept)}
    train = [name for place, name in enumerate(names) if place in trained]
    unseen = [
        name for place, name in enumerate(names) if place in set(index) and place not in trained
    ]
    return train, unseen


@given(logs, st.integers(0, 5), st.integers(0, 6))
def test_ids_of_training_come_first_and_those_seen_later_alone_behind(
    tmp_path_factory, rows, kept_users, kept_items
):
    frame = frame_of(rows)
    found = parted(tmp_path_factory.mktemp("parts"), frame, (kept_users, kept_items))
    for axis, name, names, kept in (
        (found.users, "user", USERS, kept_users), (found.items, "item", ITEMS, kept_items),
    ):  # fmt: skip
        train, unseen = axis_of(frame[name], frame["part"], names, kept)
        assert axis.train.ids.to_pylist() == train
        assert axis.unseen.ids.to_pylist() == unseen
        places = {each: place for place, each in enumerate([*train, *unseen])}
        assert axis.index.tolist() == [places.get(each, -1) for each in names]


@given(logs, st.integers(1, 12))
def test_every_part_has_its_rows_by_the_indices_of_the_dataset(tmp_path_factory, rows, block_rows):
    frame, folder = frame_of(rows), tmp_path_factory.mktemp("parts")
    found = parted(folder, frame, block_rows=block_rows)
    write_parts(found, folder)
    users = [*found.users.train.ids.to_pylist(), *found.users.unseen.ids.to_pylist()]
    items = [*found.items.train.ids.to_pylist(), *found.items.unseen.ids.to_pylist()]
    for number, name in enumerate(PART_NAMES):
        table, some = open_indexed(folder / f"{name}.arrow"), frame[frame["part"] == number]
        assert [users[index] for index in table["user_index"].to_pylist()] == [
            USERS[user] for user in some["user"]
        ]
        assert [items[index] for index in table["item_index"].to_pylist()] == [
            ITEMS[item] for item in some["item"]
        ]
        assert table["weight"].to_pylist() == some["weight"].tolist()
        assert table["timestamp"].to_pylist() == [None if t is pd.NA else t for t in some["time"]]
        assert found.counts[f"{name}_rows"] == len(some)
    for number, name in ((1, "validation"), (2, "test")):
        assert found.counts[f"{name}_users"] == frame[frame["part"] == number]["user"].nunique()


@given(logs)
def test_activity_is_that_of_training_rows(tmp_path_factory, rows):
    frame, folder = frame_of(rows), tmp_path_factory.mktemp("parts")
    found = parted(folder, frame)
    written = write_parts(found, folder)
    train = frame[frame["part"] == 0]
    for activity, name in ((written.users, "user"), (written.items, "item")):
        grouped = train.groupby(name)
        assert activity.weight.tolist() == grouped["weight"].sum().tolist()
        first = grouped["time"].min().to_numpy(float, na_value=np.nan)
        assert np.array_equal(activity.first_event, first, equal_nan=True)
    times = train["time"].dropna()
    assert written.counts.get("last_training_second") == (times.max() if len(times) else None)


@given(logs)
def test_targets_that_cannot_be_ranked_are_counted(tmp_path_factory, rows):
    frame, folder = frame_of(rows), tmp_path_factory.mktemp("parts")
    counts = write_parts(parted(folder, frame), folder).counts
    catalogue = set(frame[frame["part"] == 0]["item"])
    known = frame[frame["item"].isin(catalogue)]
    for number, name, seen_parts in ((1, "validation", [0, 3]), (2, "test", [0, 1, 4])):
        targets = frame[frame["part"] == number]
        unseen = ~targets["item"].isin(catalogue)
        assert counts[f"{name}_rows_of_unseen_items"] == unseen.sum()
        with_history = set(known[known["part"].isin(seen_parts)]["user"])
        without = ~targets["user"].isin(with_history) & ~unseen
        assert counts[f"{name}_rows_of_unseen_users"] == without.sum()


def test_training_rows_are_shown_as_they_are_written(tmp_path):
    frame = frame_of([(user, item, 1, item, item % 3) for user in range(5) for item in range(6)])
    seen = []
    found = parted(tmp_path, frame)
    write_parts(found, tmp_path, seen.append)
    table = open_indexed(tmp_path / "train.arrow")
    for name in ("user", "item"):
        values = [value for rows in seen for value in rows.columns[name].tolist()]
        assert values == table[f"{name}_index"].to_pylist()


def test_an_id_without_any_row_has_no_index():
    ids = Vocabulary(pa.array(["kept", "unused", "late", "early"]))
    used = np.array([False, False, True, True])
    axis = Axis.of(ids, 1, np.array([False, False, False, True]), used)
    assert axis.train.ids.to_pylist() == ["kept", "early"]
    assert axis.unseen.ids.to_pylist() == ["late"]
    assert axis.index.tolist() == [0, -1, 2, 1]
