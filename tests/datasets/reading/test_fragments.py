import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.reading.fragments import first_unreadable, pieces, unreadable
from recsparse.datasets.reading.tables import open_dataset
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
    st.booleans(),
)
def test_pieces_are_the_dataset_cut_where_they_are_full(tmp_path_factory, files, rows, in_slices):
    folder, start = tmp_path_factory.mktemp("log"), 0
    for number, (size, row_group_size) in enumerate(files):
        write(folder / f"day={number}/log.parquet", np.arange(start, start + size), row_group_size)
        start += size
    source = open_dataset(folder)
    found = list(pieces(source, rows, source.schema.names if in_slices else None))
    assert all(piece.schema == source.schema for piece in found)
    tables = [piece.to_table() for piece in found]
    most = rows if in_slices else max(rows, *(row_group_size for _, row_group_size in files))
    assert all(0 < table.num_rows <= most for table in tables)
    if start:
        assert pa.concat_tables(tables).combine_chunks() == source.to_table().combine_chunks()
    else:
        assert found == []


def sizes(source, rows, columns=("a", "b")):
    return [piece.to_table().num_rows for piece in pieces(source, rows, columns)]


def test_a_row_group_larger_than_a_piece_is_cut_if_it_is_known_what_is_read(tmp_path):
    write(tmp_path / "0.parquet", np.arange(3))
    write(tmp_path / "1.parquet", np.arange(50), row_group_size=30)
    write(tmp_path / "2.parquet", np.arange(3))
    assert sizes(open_dataset(tmp_path), 30) == [3, 30, 23]
    assert sizes(open_dataset(tmp_path), 29) == [3, 29, 1, 23]
    assert sizes(open_dataset(tmp_path), 20) == [3, 20, 10, 20, 3]
    assert sizes(open_dataset(tmp_path), 5, None) == [3, 30, 20, 3]


def test_slices_have_the_columns_of_the_dataset_in_its_types(tmp_path):
    write(tmp_path / "day=3/0.parquet", np.arange(5))
    odd = pa.table({"b": pa.array(["x", None] * 9).dictionary_encode(), "a": [0.5] * 18})
    (tmp_path / "day=__HIVE_DEFAULT_PARTITION__").mkdir()
    pq.write_table(odd, tmp_path / "day=__HIVE_DEFAULT_PARTITION__/1.parquet")
    (tmp_path / "day=4").mkdir()
    pq.write_table(pa.table({"c": pa.array(range(9), pa.int8())}), tmp_path / "day=4/2.parquet")
    source = open_dataset(tmp_path)
    for names in (source.schema.names, ["day"], ["c", "a"]):
        cut = [piece.to_table(columns=names) for piece in pieces(source, 2, names)]
        whole = source.to_table(columns=names)
        assert len(cut) == 3 + 9 + 5
        assert pa.concat_tables(cut).to_pylist() == whole.to_pylist()
        assert cut[0].schema == whole.schema


def test_a_slice_has_only_the_columns_that_will_be_read(tmp_path):
    source = open_dataset(write(tmp_path / "0.parquet", np.arange(5)))
    assert [piece.schema.names for piece in pieces(source, 4, ["b"])] == [["b"]] * 2


def test_a_row_group_that_is_cut_is_never_in_memory_as_a_whole(tmp_path):
    # Random, so that the file is no smaller than the rows, which take 16 MB.
    rows = np.random.default_rng(0).integers(0, 2**62, 2_000_000)
    pq.write_table(pa.table({"a": rows}), tmp_path / "0.parquet", row_group_size=len(rows))
    source = open_dataset(tmp_path)
    before, peak, seen = pa.total_allocated_bytes(), 0, 0
    for piece in pieces(source, 100_000, ["a"]):
        peak = max(peak, pa.total_allocated_bytes() - before)
        seen += piece.count_rows()
    assert seen == len(rows)
    assert peak < 8_000_000


def test_a_damaged_row_group_that_is_cut_is_named(tmp_path):
    write(tmp_path / "0.parquet", np.arange(9))
    path = write(tmp_path / "1.parquet", np.arange(99), row_group_size=99)
    source = open_dataset(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 40 + whole[44:])
    found = pieces(source, 10, ["a"])
    assert next(found).to_table().num_rows == 9
    with pytest.raises(InputError, match=r"1\.parquet must be a complete Parquet file, but readin"):
        next(found)


def test_small_files_share_a_piece_and_text_has_its_own(tmp_path):
    for name in "abd":
        write(tmp_path / f"{name}.parquet", np.arange(3))
    (tmp_path / "c.csv").write_text("a,b\n7,x\n")
    (tmp_path / "e.csv").write_text("a,b\n8,x\n")
    found = [
        piece.to_table()["a"].to_pylist() for piece in pieces(open_dataset(tmp_path), 100, ["a"])
    ]
    assert found == [[0, 1, 2] * 3, [7], [8]]


def test_a_file_that_vanished_is_named(tmp_path):
    write(tmp_path / "0.parquet", np.arange(3))
    path = write(tmp_path / "1.parquet", np.arange(3))
    source = open_dataset(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"1\.parquet must be a complete Parquet file, but readin"):
        list(pieces(source, 100, ["a"]))


def test_the_first_damaged_file_is_found_if_there_is_one(tmp_path):
    paths = [write(tmp_path / f"{number}.parquet", np.arange(99)) for number in range(3)]
    source = open_dataset(tmp_path)
    assert first_unreadable(source, ["a"]) is None
    for path in paths[1:]:
        whole = path.read_bytes()
        path.write_bytes(b"PAR1" + b"\xff" * 40 + whole[44:])
    assert "1.parquet must be a complete Parquet file" in str(first_unreadable(source, ["a", "a"]))
    # The columns that are not read are not looked at.
    assert first_unreadable(source, ["b"]) is None


def test_a_file_of_unknown_format_is_named_as_either():
    error = unreadable("every file", None, OSError("no\ndisk\n"))
    assert str(error) == (
        "every file must be a complete Parquet or CSV file, but reading it failed: no disk; copy "
        "or write it again"
    )
