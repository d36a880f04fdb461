import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.building import bucket_sort
from recsparse.datasets.building.bucket_sort import sorted_rows
from recsparse.datasets.indexed_rows import Rows
from tests.row_frames import frame_of, in_order, lists, logs, rows_of


def rows_of_user(frame):
    # A user more than occur, as kept ids may be.
    return np.bincount(frame["user"], minlength=5)


@given(logs, st.booleans(), st.integers(0, 99), st.integers(1, 30))
def test_rows_are_sorted_whatever_their_order_and_their_blocks(work, rows, part, seed, cut):
    shuffled = frame_of(rows).sample(frac=1, random_state=seed)
    blocks = [rows_of(shuffled[:cut], part), rows_of(shuffled[cut:], part)]
    found = list(sorted_rows(iter(blocks), rows_of_user(shuffled), work.folder))
    expected = rows_of(in_order(rows, part), part)
    assert sum(map(len, found)) == len(rows)
    if found:
        assert lists(Rows.concatenate(found)) == lists(expected)


def test_a_block_ends_where_a_user_ends(work, monkeypatch):
    monkeypatch.setattr(bucket_sort, "BLOCK_ROWS", 4)
    users = [0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 4]
    frame = frame_of([(user, 0, place, None, 1.0, 0) for place, user in enumerate(users)])
    shuffled = rows_of(frame.sample(frac=1, random_state=0))
    blocks = list(sorted_rows([shuffled], rows_of_user(frame), work.folder))
    assert [block.user.tolist() for block in blocks] == [
        [0, 1, 1, 1], [2, 2, 3, 3, 3, 3, 3, 3], [4]
    ]  # fmt: skip


def test_texts_break_ties_too(work):
    rows = rows_of(frame_of([(0, 5, 1, 3, 1.0, 0)] * 4))
    texts = np.array([5, -7, 0, 3])
    with_text = Rows(**(rows.columns | {"text": texts}))
    (found,) = sorted_rows([with_text], np.array([4]), work.folder)
    assert found.text.tolist() == sorted(texts)


def test_users_are_spread_over_no_more_buckets_than_allowed(work, monkeypatch):
    monkeypatch.setattr(bucket_sort, "BLOCK_ROWS", 1)
    monkeypatch.setattr(bucket_sort, "_MOST_BUCKETS", 3)
    frame = frame_of([(user, 0, item, None, 1.0, 0) for user in range(10) for item in range(4)])
    shuffled = frame.sample(frac=1, random_state=0)
    blocks = [rows_of(shuffled[:7]), rows_of(shuffled[7:7]), rows_of(shuffled[7:])]
    found = list(sorted_rows(blocks, np.full(10, 4), work.folder))
    assert [len(block) for block in found] == [16, 16, 8]
    assert lists(Rows.concatenate(found)) == lists(rows_of(frame))
    assert list(work.folder.iterdir()) == []


def test_times_too_far_apart_to_be_packed_are_sorted_all_the_same(work):
    times = [2**62, -(2**62), None, 5, None, 2**62 - 1]
    frame = frame_of([(0, None, place, None, 1.0, 0) for place, _ in enumerate(times)])
    rows = rows_of(frame)
    rows.timestamp[:] = [bucket_sort.NO_TIME if time is None else time for time in times]
    (found,) = sorted_rows([rows], np.array([6]), work.folder)
    assert found.item.tolist() == [2, 4, 1, 3, 5, 0]
