"""Rows in a file: the same as in memory, and no damage that is read goes unseen."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix, random_array

from recsparse.errors import ModelFolderError
from recsparse.scoring import checked_file
from recsparse.scoring.array_file import write_arrays
from recsparse.scoring.checked_file import block_sums
from recsparse.scoring.stored_rows import StoredRows, arrays_of_rows
from recsparse.scoring.user_rows import RowsInMemory


def some_rows(num_users, num_items, seed=0, is_timed=True):
    rng = np.random.default_rng(seed)
    cells = random_array((num_users, num_items), density=0.4, rng=rng, dtype=np.float32)
    history = csr_matrix(cells)
    history.sort_indices()
    if not is_timed:
        return RowsInMemory(history)
    parts = rng.integers(-5, 10**10, history.nnz), history.indices, history.indptr
    return RowsInMemory(history, csr_matrix(parts, shape=history.shape))


def stored(rows, folder, name="history"):
    path = folder / name
    write_arrays(path, arrays_of_rows(rows), {})
    return StoredRows(path, block_sums(path), rows.shape)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(checked_file, "BLOCK_BYTES", 64)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 5), st.integers(1, 4), st.integers(0, 99), st.booleans(),
    st.lists(st.integers(-1, 4), max_size=7),
)  # fmt: skip
def test_rows_of_a_file_are_those_in_memory(tmp_path_factory, users, items, seed, timed, wanted):
    rows = some_rows(users, items, seed, timed)
    found = stored(rows, tmp_path_factory.mktemp("rows"))
    assert (found.shape, found.is_timed) == (rows.shape, timed)
    index = np.array([user if user < users else -1 for user in wanted], dtype=np.int64)
    assert found.has_rows(index).tolist() == rows.has_rows(index).tolist()
    for own, other in zip(found.timed(index), rows.timed(index), strict=True):
        assert (own is None) == (other is None)
        assert own is None or own.toarray().tolist() == other.toarray().tolist()
    assert found.of(index).toarray().tolist() == rows.of(index).toarray().tolist()
    assert found.popularity().tolist() == rows.popularity().tolist()
    wide = found.with_items(items + 2)
    assert wide.of(index).shape == (len(index), items + 2)
    assert wide.popularity().tolist() == [*rows.popularity(), 0, 0]
    found.check()


def test_a_row_with_its_time_takes_16_bytes(tmp_path):
    rows = some_rows(50, 40)
    stored(rows, tmp_path)
    arrays = load_file(tmp_path / "history")
    assert sum(arrays[name].nbytes for name in ("indices", "data", "times")) == (
        16 * rows.history.nnz
    )


def test_damage_in_any_block_is_found_when_it_is_read_and_by_going_through_all(tmp_path):
    rows = some_rows(12, 9)
    stored(rows, tmp_path)
    path, sums = tmp_path / "history", block_sums(tmp_path / "history")
    whole = path.read_bytes()
    for place in range(0, len(whole), 64):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ModelFolderError, match="damaged: the bytes from"):
            StoredRows(path, sums, rows.shape).check()
        refused, expected = 0, rows.of(np.arange(12)).toarray()
        for user in range(12):
            try:
                found = StoredRows(path, sums, rows.shape).of(np.array([user])).toarray()
            except ModelFolderError:
                refused += 1
            else:  # it lies elsewhere
                assert found.tolist() == expected[[user]].tolist()
        assert refused < 12 or place < rows.history.indptr.nbytes + 10**3
    path.write_bytes(whole)
    StoredRows(path, sums, rows.shape).check()


def test_a_file_that_is_cut_short_while_it_is_open_is_told(tmp_path):
    found = stored(some_rows(40, 9), tmp_path)
    with (tmp_path / "history").open("r+b") as file:
        file.truncate(900)
    with pytest.raises(ModelFolderError, match=r"it ends at .* bytes"):
        found.check()


def test_a_file_of_another_size_and_a_missing_one_are_told(tmp_path):
    rows = some_rows(4, 3)
    stored(rows, tmp_path)
    path, sums = tmp_path / "history", block_sums(tmp_path / "history")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelFolderError, match="in the place of"):
        StoredRows(path, sums, rows.shape)
    path.unlink()
    with pytest.raises(ModelFolderError, match="is missing"):
        StoredRows(path, sums, rows.shape)


def test_another_file_in_its_place_changes_nothing_for_one_that_is_open(tmp_path):
    rows = some_rows(6, 5)
    found = stored(rows, tmp_path)
    stored(some_rows(6, 5, seed=9), tmp_path, "other").check()
    (tmp_path / "other").replace(tmp_path / "history")
    assert found.whole()[0].toarray().tolist() == rows.history.toarray().tolist()


def test_copies_need_no_file(tmp_path):
    rows = some_rows(6, 5)
    found = stored(rows, tmp_path)
    for made in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        (tmp_path / "history").unlink(missing_ok=True)
        assert made.whole()[0].toarray().tolist() == rows.history.toarray().tolist()
        assert made.whole()[1].toarray().tolist() == rows.times.toarray().tolist()


def test_each_block_is_read_once_for_its_checksum_and_no_other_is(tmp_path):
    """Only of wanted users are blocks read: few of a large file."""
    found = stored(some_rows(3_000, 9), tmp_path)
    num_before = int(found._arrays["data"].file._is_checked.sum())
    found.of(np.array([7]))
    assert 2 <= int(found._arrays["data"].file._is_checked.sum()) - num_before <= 4


@pytest.mark.parametrize(
    "sums", [b"", b"text", (16).to_bytes(8, "little") + b"{}" + b" " * 14], ids=len
)
def test_checksums_that_are_none_are_told(tmp_path, sums):
    stored(some_rows(4, 3), tmp_path)
    with pytest.raises(ValueError, match="checksums of blocks must be readable"):
        StoredRows(tmp_path / "history", sums, (4, 3))
