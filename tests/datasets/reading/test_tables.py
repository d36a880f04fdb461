import datetime as dt

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.reading.tables import (
    open_dataset,
    read_columns,
    read_table,
    require_columns,
)
from recsparse.errors import InputError, MissingFileError, SchemaError


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path)
    return path


def damage_data(path):
    """Overwrite the first column's page and leave the footer, so that the schema still reads."""
    whole = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 40 + whole[44:])
    return path


def rows(source):
    return source.to_table().to_pylist()


def test_files_come_in_the_order_given(tmp_path):
    paths = [write(tmp_path / f"{name}.parquet", {"a": [name]}) for name in "bca"]
    assert [row["a"] for row in rows(open_dataset(paths))] == ["b", "c", "a"]
    assert [row["a"] for row in rows(open_dataset(str(paths[0])))] == ["b"]


def test_files_of_a_folder_come_sorted_by_path_at_any_depth(tmp_path):
    for name in ("b/2", "a/deep/1", "a/0", "c"):
        write(tmp_path / f"{name}.parquet", {"a": [name]})
    found = [row["a"] for row in rows(open_dataset(tmp_path))]
    assert found == ["a/0", "a/deep/1", "b/2", "c"]


def test_what_other_writers_hide_or_leave_beside_is_not_read(tmp_path):
    write(tmp_path / "log.parquet" / "part-0.parquet", {"a": [1]})
    for name in ("_temporary/0/x.parquet", "_metadata.parquet", ".part.parquet", ".git/x.parquet"):
        write(tmp_path / "log.parquet" / name, {"a": [2]})
    (tmp_path / "log.parquet" / "_SUCCESS").touch()
    (tmp_path / "log.parquet" / "part-0.crc").write_text("no Parquet")
    assert rows(open_dataset(tmp_path)) == [{"a": 1}]


def test_a_hidden_folder_above_the_named_one_hides_nothing(tmp_path):
    folder = tmp_path / ".cache"
    write(folder / "log.parquet", {"a": [1]})
    assert rows(open_dataset(folder)) == [{"a": 1}]


def test_partition_keys_become_columns_of_text_whatever_their_digits(tmp_path):
    frame = pd.DataFrame({"a": range(6), "year": [2020, 2021] * 3, "place": list("xxyyzz")})
    frame.to_parquet(tmp_path / "set", partition_cols=["year", "place"])
    found = open_dataset(tmp_path / "set").to_table().to_pandas().sort_values("a")
    expected = frame.astype({"year": str})
    assert found.reset_index(drop=True).to_dict("list") == expected.to_dict("list")


def test_an_unknown_partition_key_is_null(tmp_path):
    write(tmp_path / "date=7" / "a.parquet", {"a": [1]})
    write(tmp_path / "date=__HIVE_DEFAULT_PARTITION__" / "a.parquet", {"a": [2]})
    found = {row["a"]: row["date"] for row in rows(open_dataset(tmp_path))}
    assert found == {1: "7", 2: None}


def test_folders_above_what_is_named_are_no_keys(tmp_path):
    path = write(tmp_path / "weight=7" / "log.parquet", {"a": [1]})
    assert rows(open_dataset(path)) == [{"a": 1}]
    assert rows(open_dataset(path.parent)) == [{"a": 1}]
    assert rows(open_dataset(tmp_path)) == [{"a": 1, "weight": "7"}]


@pytest.mark.parametrize("together", [True, False], ids=["folder", "paths"])
def test_a_column_that_only_a_later_file_has_is_null_before(tmp_path, together):
    paths = [
        write(tmp_path / "0.parquet", {"a": [1]}),
        write(tmp_path / "1.parquet", {"b": [2.5], "a": [2]}),
    ]
    source = open_dataset(tmp_path if together else paths)
    assert rows(source) == [{"a": 1, "b": None}, {"a": 2, "b": 2.5}]


def test_a_path_with_nothing_at_it_is_named(tmp_path):
    there = write(tmp_path / "a.parquet", {"a": [1]})
    for paths in (tmp_path / "nowhere", [there, tmp_path / "nowhere"]):
        with pytest.raises(
            MissingFileError, match="nowhere must be a Parquet or CSV file or folder, but"
        ):
            open_dataset(paths)


def test_no_path_at_all_is_refused():
    with pytest.raises(InputError, match=r"must be a file or folder to read, but none was given"):
        open_dataset([])


def test_a_folder_without_parquet_is_named(tmp_path):
    (tmp_path / "log.txt").write_text("user_id,item_id\n1,2\n")
    with pytest.raises(
        InputError, match=r"must hold Parquet or CSV files .*, but it holds 1 others"
    ):
        open_dataset(tmp_path)


@pytest.mark.parametrize("content", [b"", b"user_id,item_id\n1,2\n", b"PAR1 and then nothing"])
def test_a_file_that_is_no_parquet_is_named(tmp_path, content):
    write(tmp_path / "a.parquet", {"a": [1]})
    (tmp_path / "b.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.parquet must be a complete Parquet file, but readin"):
        open_dataset(tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": list(range(1000))})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"a\.parquet must be a complete Parquet file, but readin"):
        open_dataset(path)


def test_a_column_that_a_file_has_twice_is_named(tmp_path):
    table = pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"])
    path = write(tmp_path / "a.parquet", table)
    with pytest.raises(SchemaError, match=r"a\.parquet must have columns .* each named once, but"):
        open_dataset(path)


def test_a_column_that_every_file_has_is_no_key(tmp_path):
    write(tmp_path / "a=x" / "p.parquet", {"a": [1]})
    assert rows(open_dataset(tmp_path)) == [{"a": 1}]


def test_a_missing_column_is_told_with_those_found_and_the_nearest(tmp_path):
    source = open_dataset(write(tmp_path / "a.parquet", {"userid": [1], "item_id": [1]}))
    require_columns(source, "the log", ["userid", "item_id"])
    message = (
        "^the log must have the column 'user_id', but it has userid, item_id; the nearest known is "
        "'userid'$"
    )
    with pytest.raises(SchemaError, match=message):
        require_columns(source, "the log", ["item_id", "user_id"])


def test_a_file_without_columns_has_none(tmp_path):
    source = open_dataset(write(tmp_path / "a.parquet", {}))
    with pytest.raises(SchemaError, match="'user_id', but it has none; known are none"):
        require_columns(source, "the log", ["user_id"])


def test_columns_are_read_in_the_order_asked_each_once(tmp_path):
    source = open_dataset(write(tmp_path / "a.parquet", {"a": [1], "b": [2], "c": [3]}))
    assert read_columns(source, ["c", "a", "c"]).to_pydict() == {"c": [3], "a": [1]}


@pytest.mark.parametrize("together", [True, False], ids=["folder", "paths"])
def test_the_first_file_with_damaged_data_is_named(tmp_path, together):
    paths = [write(tmp_path / f"{number}.parquet", {"a": list(range(100))}) for number in range(3)]
    damage_data(paths[1])
    damage_data(paths[2])
    source = open_dataset(tmp_path if together else paths)
    with pytest.raises(InputError, match=r"1\.parquet must be a complete Parquet file, but readin"):
        read_columns(source, ["a"])


def test_a_file_that_vanishes_between_opening_and_reading_is_named(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [1]})
    source = open_dataset(path)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.parquet must be a complete Parquet file, but readin"):
        read_columns(source, ["a"])


def test_one_table_is_read_as_written(tmp_path):
    table = pa.table({"a": [1, None], "b": pa.array([dt.date(2020, 1, 1), None])})
    # A folder above that looks like a partition adds no column.
    assert read_table(write(tmp_path / "b=7" / "a.parquet", table), ["b"]) == table


@pytest.mark.parametrize("content", [None, b"", b"PAR1"])
def test_a_missing_or_damaged_table_is_named(tmp_path, content):
    path = tmp_path / "a.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet must be the Parquet file that was written"):
        read_table(path)


def test_a_table_without_a_column_is_named(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [1]})
    with pytest.raises(InputError, match=r"a\.parquet must have .*, but b, c is not among a; make"):
        read_table(path, ["a", "b", "c"])
