import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.frames import as_files, is_frame, like, to_arrow, with_column

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


@pytest.mark.parametrize("value", ["log.parquet", ["a", "b"], None, 3])
def test_what_is_no_frame_is_passed_on(value):
    assert not is_frame(value)
    with as_files([value]) as (found,):
        assert found is value


def test_rows_that_are_in_no_frame_come_out_as_pandas():
    assert isinstance(like(pa.table(COLUMNS), ["a", "b"]), pd.DataFrame)


def test_the_index_of_pandas_is_kept_but_never_written():
    frame = pd.DataFrame(COLUMNS, index=[7, 3])
    assert with_column(frame, "score", pa.array([1.0, 2.0])).index.tolist() == [7, 3]
    with as_files([frame]) as (path,):
        assert pq.read_table(path).column_names == ["user_id", "price"]
    assert not path.exists()


@every_library
def test_frames_without_rows_have_their_columns(library):
    frame = made(library, COLUMNS)[:0]
    with as_files([frame]) as (path,):
        assert pq.read_table(path).num_rows == 0
    assert len(with_column(frame, "score", pa.array([], pa.float32()))) == 0
