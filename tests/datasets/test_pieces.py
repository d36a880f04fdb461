import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.parquet import open_dataset
from recsparse.datasets.pieces import damage, pieces, unreadable
from recsparse.errors import InputError


def write(path, rows, row_group_size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({"a": rows, "b": ["x"] * len(rows)}), path, row_group_size=row_group_size
    )
    return path


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=1, max_size=5),
    st.integers(1, 15),
)
def test_pieces_are_the_dataset_cut_between_row_groups(tmp_path_factory, files, rows):
    folder, start = tmp_path_factory.mktemp("log"), 0
    for number, (size, row_group_size) in enumerate(files):
        write(folder / f"day={number}/log.parquet", np.arange(start, start + size), row_group_size)
        start += size
    source = open_dataset(folder)
    found = list(pieces(source, rows))
    assert all(piece.schema == source.schema for piece in found)
    tables = [piece.to_table() for piece in found]
    groups = [
        group for piece in found for part in piece.get_fragments() for group in part.row_groups
    ]
    for piece, table in zip(found, tables, strict=True):
        only_group = sum(len(part.row_groups) for part in piece.get_fragments()) == 1
        assert 0 < table.num_rows <= rows or only_group
    assert len(groups) == sum(-(-size // row_group_size) for size, row_group_size in files)
    if start:
        assert pa.concat_tables(tables) == source.to_table().combine_chunks()
    else:
        assert found == []


def test_a_row_group_larger_than_a_piece_is_a_piece(tmp_path):
    write(tmp_path / "0.parquet", np.arange(3))
    write(tmp_path / "1.parquet", np.arange(50), row_group_size=30)
    write(tmp_path / "2.parquet", np.arange(3))
    found = [piece.to_table().num_rows for piece in pieces(open_dataset(tmp_path), 5)]
    assert found == [3, 30, 20, 3]


def test_small_files_share_a_piece_and_text_has_its_own(tmp_path):
    for name in "abd":
        write(tmp_path / f"{name}.parquet", np.arange(3))
    (tmp_path / "c.csv").write_text("a,b\n7,x\n")
    (tmp_path / "e.csv").write_text("a,b\n8,x\n")
    found = [piece.to_table()["a"].to_pylist() for piece in pieces(open_dataset(tmp_path), 100)]
    assert found == [[0, 1, 2] * 3, [7], [8]]


def test_a_file_that_vanished_is_named(tmp_path):
    write(tmp_path / "0.parquet", np.arange(3))
    path = write(tmp_path / "1.parquet", np.arange(3))
    source = open_dataset(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"1\.parquet must be a complete Parquet file, but readin"):
        list(pieces(source, 100))


def test_the_first_damaged_file_is_found_if_there_is_one(tmp_path):
    paths = [write(tmp_path / f"{number}.parquet", np.arange(99)) for number in range(3)]
    source = open_dataset(tmp_path)
    assert damage(source, ["a"]) is None
    for path in paths[1:]:
        whole = path.read_bytes()
        path.write_bytes(b"PAR1" + b"\xff" * 40 + whole[44:])
    assert "1.parquet must be a complete Parquet file" in str(damage(source, ["a", "a"]))
    # The columns that are not read are not looked at.
    assert damage(source, ["b"]) is None


def test_a_file_of_unknown_format_is_named_as_either():
    error = unreadable("every file", None, OSError("no\ndisk\n"))
    assert str(error) == (
        "every file must be a complete Parquet or CSV file, but reading it failed: no disk; copy "
        "or write it again"
    )
