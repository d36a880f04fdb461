import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.building.rejected import RejectedRows
from recsparse.datasets.workspace import Resources, workspace


def rows(**columns):
    return pa.table(columns)


def saved(folder, sources, files=(), threads=1):
    """Return what is written of some rows of each source."""
    with workspace(Resources(threads=threads), folder / "dataset") as work:
        found = RejectedRows(work)
        for path in files:
            found.add_file(path)
        for number, tables in enumerate(sources):
            for table in tables:
                found.add(table, number)
        found.save(folder / "rejected.parquet")
    return pq.read_table(folder / "rejected.parquet")


BAD = [
    {"user": 3, "item": "x", "reason": "weight is negative"},
    {"user": None, "item": "b", "reason": "user id is null"},
    {"user": None, "item": None, "reason": "user id is null"},
    {"user": None, "item": "a", "reason": "user id is null"},
]
SCHEMA = pa.schema([("user", pa.int64()), ("item", pa.string()), ("reason", pa.string())])


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_rows_are_by_reason_and_then_by_their_columns(tmp_path, order):
    tables = [pa.Table.from_pylist([BAD[place]], SCHEMA) for place in order]
    found = saved(tmp_path, [tables]).to_pylist()
    assert [(row["reason"], row["item"]) for row in found] == [
        ("user id is null", "a"), ("user id is null", "b"), ("user id is null", None),
        ("weight is negative", "x"),
    ]  # fmt: skip


def test_no_rows_keep_their_columns(tmp_path):
    found = saved(tmp_path, [[pa.Table.from_pylist([], SCHEMA)]])
    assert found.schema == pa.schema([SCHEMA.field(name) for name in ("item", "user", "reason")])
    assert found.num_rows == 0


def test_sources_of_other_columns_and_types_are_brought_together(tmp_path):
    one = rows(user=pa.array([1], pa.int32()), reason=["bad"])
    other = rows(item=["a"], user=pa.array([2], pa.int64()), reason=["bad"])
    for sources in ([[one], [other]], [[other], [one]]):
        found = saved(tmp_path, sources)
        assert {name: str(found.schema.field(name).type) for name in found.column_names} == {
            "user": "int64", "item": "string", "reason": "string"
        }  # fmt: skip
        assert sorted(found["user"].to_pylist()) == [1, 2]


def test_the_order_of_sources_does_not_matter(tmp_path):
    one = rows(user=[1, 1], x=[0.5, None], reason=["bad", "bad"])
    other = rows(item=["a"], user=[2], reason=["bad"])
    found = []
    for sources in ([[one], [other]], [[other], [one]]):
        saved(tmp_path, sources)
        found.append((tmp_path / "rejected.parquet").read_bytes())
    assert found[0] == found[1]


def test_rows_that_were_saved_before_are_among_them(tmp_path):
    before = tmp_path / "it's before.parquet"
    pq.write_table(pa.Table.from_pylist(BAD[:2], SCHEMA), before)
    found = saved(tmp_path, [[pa.Table.from_pylist(BAD[2:], SCHEMA)]], [before])
    assert found.num_rows == 4
    assert found.equals(saved(tmp_path, [[pa.Table.from_pylist(BAD, SCHEMA)]]))


@pytest.mark.parametrize("name", ['quo"ted', "blank and, comma", "é"])
def test_columns_are_named_as_they_like(tmp_path, name):
    table = pa.table({name: [2, 1], "reason": ["bad", "bad"]})
    assert saved(tmp_path, [[table]])[name].to_pylist() == [1, 2]
