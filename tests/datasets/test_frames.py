import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.frames import (
    as_files,
    is_frame,
    like,
    paths_among,
    to_arrow,
    with_column,
)
from recsparse.errors import InputError, InputTypeError, OutputError
from recsparse.files.stand_ins import called

COLUMNS = {"user_id": ["a", "b"], "price": [1.5, 2.5]}


def made(library, columns):
    if library == "polars":
        return pytest.importorskip("polars").DataFrame(columns)
    return pd.DataFrame(columns) if library == "pandas" else pa.table(columns)


every_library = pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])


@every_library
def test_a_frame_is_told_from_paths_and_keeps_its_library(library):
    frame = made(library, COLUMNS)
    assert is_frame(frame)
    assert to_arrow(frame).to_pydict() == COLUMNS
    more = with_column(frame, "score", pa.array([0.25, 0.5], pa.float32()))
    assert type(more) is type(frame)
    assert to_arrow(more).to_pydict() == {**COLUMNS, "score": [0.25, 0.5]}
    assert type(like(pa.table(COLUMNS), frame)) is type(frame)


@pytest.mark.parametrize("value", ["log.parquet", Path("log.parquet"), None])
def test_what_is_no_frame_is_passed_on(value):
    assert not is_frame(value)
    with as_files(logs=value) as (found,):
        assert found is value


def test_a_list_may_have_paths_and_frames():
    logs = ["log.parquet", made("pandas", COLUMNS), made("pyarrow", COLUMNS)]
    with as_files(logs=logs, items=None) as (found, items):
        assert found[0] == "log.parquet"
        assert [pq.read_table(path).to_pydict() for path in found[1:]] == [COLUMNS, COLUMNS]
        assert [called(path) for path in found[1:]] == [
            "the frame given as logs[1]",
            "the frame given as logs[2]",
        ]
        assert items is None
    assert paths_among(logs) == ["log.parquet"]
    assert paths_among("log.parquet") == ["log.parquet"]
    assert paths_among(logs[1]) == paths_among(None) == []


@pytest.mark.parametrize("value", [3, {"user_id": [1]}, pd.Series([1]).items()])
def test_what_is_neither_path_nor_frame_is_refused(value):
    kind = type(value).__name__
    with (
        pytest.raises(InputTypeError, match=f"items must be a path, a frame .* but is a {kind}"),
        as_files(items=value),
    ):
        pass


def test_a_frame_that_nobody_has_collected_is_refused():
    lazy = pytest.importorskip("polars").LazyFrame(COLUMNS)
    with (
        pytest.raises(InputTypeError, match="but is a LazyFrame; collect it"),
        as_files(logs=lazy),
    ):
        pass


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"user_id": [1, "a"]}),
        pd.DataFrame([[1, 2]], columns=["user_id", "user_id"]),
        pd.DataFrame({"item_id": [object()]}),
        pa.chunked_array([[1, 2]]),
    ],
    ids=["of two types", "a name twice", "an object", "a column"],
)
def test_a_frame_that_is_no_table_of_arrow_is_named(frame):
    with (
        pytest.raises(InputError, match="the frame given as logs must be a table"),
        as_files(logs=frame),
    ):
        pass


def test_a_column_that_parquet_cannot_hold_is_named():
    odd = pa.table({"length": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with (
        pytest.raises(InputError, match="the frame given as items must have columns that Parquet"),
        as_files(items=odd),
    ):
        pass


def test_the_index_of_pandas_is_kept_but_never_written():
    frame = pd.DataFrame(COLUMNS, index=[7, 3])
    assert with_column(frame, "score", pa.array([1.0, 2.0])).index.tolist() == [7, 3]
    with as_files(logs=frame) as (path,):
        assert pq.read_table(path).column_names == ["user_id", "price"]
    assert not path.exists()


@every_library
def test_frames_without_rows_have_their_columns(library):
    frame = made(library, COLUMNS)[:0]
    with as_files(logs=frame) as (path,):
        assert pq.read_table(path).num_rows == 0
    assert len(with_column(frame, "score", pa.array([], pa.float32()))) == 0


def test_rows_that_are_in_no_frame_come_out_as_pandas():
    assert isinstance(like(pa.table(COLUMNS), ["a", "b"]), pd.DataFrame)


def test_a_subclass_of_a_frame_of_pandas_is_one():
    class Priced(pd.DataFrame):
        pass

    frame = Priced(COLUMNS, index=[7, 3])
    assert to_arrow(frame).to_pydict() == COLUMNS
    assert with_column(frame, "score", pa.array([1.0, 2.0])).index.tolist() == [7, 3]


@every_library
def test_what_is_null_stays_null(library):
    columns = {"user_id": ["a", None], "weight": [None, 2.5], "count": [None, 1]}
    frame = made(library, columns)
    if library == "pandas":
        frame = frame.astype({"count": "Int64"})
    with as_files(logs=frame) as (path,):
        assert pq.read_table(path).to_pydict() == columns


@every_library
def test_not_a_number_stays_what_it_is_but_in_pandas_which_says_null_so(library):
    frame = made(library, {"weight": np.array([np.nan, 1.0])})
    with as_files(logs=frame) as (path,):
        found = pq.read_table(path)["weight"]
    assert found.null_count == (1 if library == "pandas" else 0)


def test_no_file_is_left_even_after_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with as_files(logs=made("pyarrow", COLUMNS)) as (path,):
        assert tmp_path in path.parents
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(RuntimeError), as_files(logs=made("pyarrow", COLUMNS)):
        raise RuntimeError
    assert [*tmp_path.iterdir()] == []


def test_files_are_written_where_it_is_said(tmp_path):
    with as_files(tmp_path / "spill", logs=made("pyarrow", COLUMNS)) as (path,):
        assert tmp_path / "spill" in path.parents


def test_a_full_disk_is_no_bad_input(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with (
        pytest.raises(OutputError, match="room for a copy of the frame given as logs"),
        as_files(logs=made("pyarrow", COLUMNS)),
    ):
        pass


def test_vectors_of_a_fixed_size_are_read_with_their_nulls():
    rows = [[1.0, 2.0], None, [3.0, 4.0]]
    frame = pa.table({"v": pa.array(rows, pa.list_(pa.float32(), 2))})
    with as_files(items=frame) as (path,):
        assert pq.read_table(path)["v"].to_pylist() == rows


@pytest.mark.parametrize("values", [[1, "a"], ["a", ["b"]], [[1.0], [{"b": 1}]], [{"a": 1}, 2]])
def test_a_column_of_values_of_several_types_is_named(values):
    frame = pd.DataFrame({"item_id": [0, 1], "x": pd.Series(values, dtype=object)})
    with pytest.raises(InputError, match=r"values of one type, but .*column x .*; cast or drop"):
        to_arrow(frame)
