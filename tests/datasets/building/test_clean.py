import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.building.clean import clean_rows, k_core
from recsparse.datasets.duplicates import without_duplicates
from recsparse.datasets.indexed_rows import RowsWriter, first_of_user
from recsparse.errors import InputError
from tests.row_frames import frame_of, in_order, lists, logs, rows_of, whole_users


@given(logs, st.booleans())
def test_the_last_of_the_repeated_rows_stays(rows, part):
    frame = in_order(rows, part)
    found, count = without_duplicates(rows_of(frame, part), "last")
    keys = ["user", "item", "part"] if part else ["user", "item"]
    expected = frame.groupby(keys).tail(1)
    assert lists(found) == lists(rows_of(expected, part))
    assert count == len(frame) - len(expected)


@given(logs)
def test_the_sum_goes_to_the_row_that_stays(rows):
    frame = in_order(rows)
    found, count = without_duplicates(rows_of(frame), "sum")
    last, same = without_duplicates(rows_of(frame), "last")
    total = {}
    for user, item, weight in zip(frame["user"], frame["item"], frame["weight"], strict=True):
        total[user, item] = total.get((user, item), 0) + weight
    pairs = zip(found.user.tolist(), found.item.tolist(), strict=True)
    expected = [total[pair] for pair in pairs]
    assert lists(found) == lists(last) | {"weight": expected}
    assert found.weight.dtype == np.float32
    assert count == same


def test_sums_of_weights_beyond_single_precision_are_refused():
    frame = in_order([(0, 1, 2, None, 3e38, 0), (0, 2, 2, None, 3e38, 0)])
    assert without_duplicates(rows_of(frame), "last")[0].weight.tolist() == [np.float32(3e38)]
    with pytest.raises(InputError, match=r"must add up to at most 3.4e\+38, but add up to 6e\+38"):
        without_duplicates(rows_of(frame), "sum")


@given(logs, st.sampled_from([0.5, 2.0]))
def test_older_weights_of_a_sum_are_halved_for_each_half_life(rows, half_life):
    day = 86_400
    frame = in_order([(u, None if t is None else t * day, i, r, w, p) for u, t, i, r, w, p in rows])
    found, _ = without_duplicates(rows_of(frame), "sum", half_life)
    expected = []
    for user, item in zip(found.user, found.item, strict=True):
        some = frame[(frame["user"] == user) & (frame["item"] == item)]
        last = some["timestamp"].max()
        total = 0.0
        for time, weight in zip(some["timestamp"], some["weight"], strict=True):
            # A row without a time is as old as the last one.
            age = 0 if pd.isna(time) else (last - time) / day
            total += weight * 2 ** (-age / half_life)
        expected.append(total)
    assert found.weight == pytest.approx(expected)


@given(logs)
def test_kept_duplicates_are_counted_alone(rows):
    frame = in_order(rows)
    found, count = without_duplicates(rows_of(frame), "keep")
    assert lists(found) == lists(rows_of(frame))
    assert count == len(rows) - len(frame.drop_duplicates(["user", "item"]))


def test_a_later_row_wins_and_one_of_known_time_even_before_1970():
    rows = [
        (0, None, 1, 5, 1.0, 0),
        (0, -9, 1, 1, 2.0, 0),
        (0, 3, 2, 1, 3.0, 0),
        (0, 4, 2, 1, 1, 0),
    ]
    found, count = without_duplicates(rows_of(in_order(rows)), "last")
    assert (found.timestamp.tolist(), count) == ([-9, 4], 2)


def test_of_equal_times_the_highest_rating_wins_then_the_highest_weight():
    rows = [(0, 7, 1, 2, 9.0, 0), (0, 7, 1, 3, 1.0, 0), (0, 7, 2, 4, 5.0, 0), (0, 7, 2, 4, 6.0, 0)]
    found, _ = without_duplicates(rows_of(in_order(rows)), "last")
    assert list(zip(found.rating.tolist(), found.weight.tolist(), strict=True)) == [(3, 1), (4, 6)]


def core_of(frame, least_user, least_item):
    """Drop short users and items until nothing changes."""
    while True:
        rows_of_user = frame.groupby("user")["item"].transform("size")
        rows_of_item = frame.groupby("item")["user"].transform("size")
        kept = frame[(rows_of_user >= least_user) & (rows_of_item >= least_item)]
        if len(kept) == len(frame):
            return kept
        frame = kept


def counts(column, size):
    return np.bincount(column, minlength=size).tolist()


@given(logs, st.integers(1, 4), st.integers(1, 4), st.integers(1, 9))
def test_the_core_is_the_fixed_point_of_dropping(tmp_path_factory, rows, user, item, block_rows):
    frame, path = in_order(rows), tmp_path_factory.mktemp("core") / "rows.arrow"
    blocks = whole_users(rows_of(frame), block_rows) or [rows_of(frame)]
    with RowsWriter(path, blocks[0].to_batch().schema) as writer:
        for block in blocks:
            writer.write(block.to_batch())
    found = k_core(path, (6, 5), (user, item))
    core = core_of(frame, user, item)
    # Users 4 and 5 never occur.
    assert found[0].tolist() == counts(core["user"], 6)
    assert found[1].tolist() == counts(core["item"], 5)


def test_a_chain_falls_one_by_one(tmp_path):
    # Each user shares an item with the next one; only the last has too few rows.
    chain = [(user, item) for user in range(30) for item in (user, user + 1)] + [(30, 30)]
    frame = frame_of([(user, 0, item, None, 1.0, 0) for user, item in chain if item != 0])
    found = clean_rows([rows_of(frame)], tmp_path / "rows", (31, 31), "last", None, (2, 2))
    assert found.num_rows == 0
    assert found.outside_core == len(frame)
    assert list(found.blocks()) == []


@given(logs, st.sampled_from(["last", "sum", "keep"]), st.integers(1, 3), st.integers(1, 3))
def test_clean_rows_are_those_of_the_core_without_duplicates(
    tmp_path_factory, rows, keep, least_user, least_item
):
    frame, folder = in_order(rows), tmp_path_factory.mktemp("clean")
    blocks = whole_users(rows_of(frame), 5) or [rows_of(frame)]
    least = least_user, least_item
    found = clean_rows(blocks, folder / "rows", (4, 5), keep, None, least)
    single = frame if keep == "keep" else frame.groupby(["user", "item"]).tail(1)
    core = core_of(single, *least)
    assert found.duplicates == len(frame) - len(frame.drop_duplicates(["user", "item"]))
    assert found.outside_core == len(single) - len(core)
    assert found.num_rows == len(core)
    assert found.without_time == core["timestamp"].isna().sum()
    left = list(found.blocks())
    assert all(len(block) for block in left)
    for name in ("user", "item", "timestamp", "rating"):
        values = [value for block in left for value in block.columns[name].tolist()]
        assert values == rows_of(core).columns[name].tolist()
    ends = [block.user[-1] for block in left[:-1]]
    assert all(end < block.user[0] for end, block in zip(ends, left[1:], strict=True))
    assert all(len(first_of_user(block.user)) for block in left)
