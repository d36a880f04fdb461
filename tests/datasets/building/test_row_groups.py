import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.building import row_groups
from recsparse.datasets.building.row_groups import write_row_groups
from recsparse.datasets.workspace import Resources, workspace


@pytest.fixture(scope="module", autouse=True)
def few_rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_groups, "ROWS", 4)
        yield


def written(path, batches):
    schema = pa.schema([("a", pa.int64())])
    made = [pa.record_batch([pa.array(batch, pa.int64())], schema=schema) for batch in batches]
    write_row_groups(pa.RecordBatchReader.from_batches(schema, made), path)
    return pq.ParquetFile(path)


@given(st.lists(st.lists(st.integers(0, 9), max_size=11), max_size=6))
def test_rows_are_written_so_many_a_group_however_they_come(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("groups")
    rows = [value for batch in batches for value in batch]
    file = written(folder / "a.parquet", batches)
    assert file.read()["a"].to_pylist() == rows
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert all(size == 4 for size in sizes[:-1])
    assert len(sizes) == -(-len(rows) // 4)
    written(folder / "b.parquet", [rows])
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()


def test_many_sorted_rows_are_the_same_bytes_whatever_the_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(row_groups, "ROWS", 5_000)
    query = "SELECT hash(range)::VARCHAR AS a FROM range(130_000) ORDER BY a"
    for threads in (1, 2, 4):
        with workspace(Resources(threads=threads), tmp_path / "out") as work:
            reader = work.database.sql(query).to_arrow_reader(5_000)
            write_row_groups(reader, tmp_path / f"{threads}.parquet")
    one, *others = [(tmp_path / f"{threads}.parquet").read_bytes() for threads in (1, 2, 4)]
    assert all(other == one for other in others)
