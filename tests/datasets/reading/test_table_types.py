"""Files of one dataset whose columns differ in type."""

from decimal import Decimal

import pyarrow as pa
import pytest

from recsparse.datasets.reading.tables import open_dataset
from recsparse.datasets.reading.timestamps import to_seconds
from recsparse.errors import SchemaError
from tests.datasets.reading.test_tables import write


def pair(tmp_path, one, other, together):
    paths = [
        write(tmp_path / "set" / f"{number}.parquet", {"a": column})
        for number, column in enumerate((one, other))
    ]
    return open_dataset(tmp_path / "set" if together else paths)


@pytest.mark.parametrize("together", [True, False], ids=["folder", "paths"])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([1], pa.int8()), pa.array([2**40])),
        (pa.array([1], pa.uint64()), pa.array([-1])),
        (pa.array([0.5], pa.float32()), pa.array([0.1])),
        (pa.array([4]), pa.array([4.5])),
        (pa.array([4], pa.int8()), pa.array([4.5], pa.float32())),
        (pa.array(["a"]), pa.array(["b"], pa.large_string())),
        (pa.array(["a"]), pa.array(["b"], pa.string_view())),
        (pa.array(["a"], pa.large_string()), pa.array(["b", None]).dictionary_encode()),
        (pa.array(["a"]).dictionary_encode(), pa.array(["b"], pa.string_view())),
        (pa.array([7]).dictionary_encode(), pa.array([2**40])),
        (pa.nulls(1), pa.array(["b"]).dictionary_encode()),
        (pa.array([Decimal("1.5")]), pa.array([Decimal("10.25")])),
        (pa.nulls(1), pa.array(["b"])),
        (pa.nulls(1), pa.array([2**40])),
        (pa.array([7], pa.timestamp("s")), pa.array([7001], pa.timestamp("ms"))),
    ],
    ids=str,
)
def test_close_types_are_read_in_the_wider_one(tmp_path, one, other, turned, together):
    if turned:
        one, other = other, one
    found = pair(tmp_path, one, other, together).to_table()["a"]
    assert found.to_pylist() == one.to_pylist() + other.to_pylist()


@pytest.mark.parametrize("together", [True, False], ids=["folder", "paths"])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "+02:00"])
@pytest.mark.parametrize("units", ["ss", "su", "nm"])
def test_times_of_different_zones_are_the_same_instants(tmp_path, units, zone, turned, together):
    kinds = [
        pa.timestamp({"s": "s", "m": "ms", "u": "us", "n": "ns"}[unit], name)
        for unit, name in zip(units, ("Asia/Tokyo", zone), strict=True)
    ]
    columns = [pa.array([1_767_225_600], pa.timestamp("s")).cast(kind) for kind in kinds]
    source = pair(tmp_path, *(reversed(columns) if turned else columns), together)
    seconds, _ = to_seconds(source.to_table(), "a")
    assert seconds.to_pylist() == [1_767_225_600] * 2


@pytest.mark.parametrize("together", [True, False], ids=["folder", "paths"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([1]), pa.array(["1"])),
        (pa.array([1]), pa.array([1], pa.timestamp("s"))),
        (pa.array(["1"]), pa.array([1]).dictionary_encode()),
        (pa.array([1], pa.timestamp("s")), pa.array([1], pa.timestamp("s", "UTC"))),
        (pa.array([[1]]), pa.array([{"b": 1}])),
    ],
    ids=str,
)
def test_other_types_conflict_and_both_files_are_named(tmp_path, one, other, together):
    message = (
        r"the column 'a' must have one type, but is .* in .*0\.parquet and .* in .*1\.parquet; cast"
    )
    with pytest.raises(SchemaError, match=message):
        pair(tmp_path, one, other, together)


def test_whole_numbers_beside_fractions_conflict_as_ids(tmp_path):
    for number, column in enumerate(([1], [1.0])):
        write(tmp_path / f"{number}.parquet", {"user": column, "weight": column})
    assert open_dataset(tmp_path, ids=["item"]).schema.field("user").type == pa.float64()
    message = (
        r"the column 'user' must have one type, but is int64 in .*0\.parquet and double in .*1"
    )
    with pytest.raises(SchemaError, match=message):
        open_dataset(tmp_path, ids=["user"])


def test_two_types_behind_a_null_one_conflict(tmp_path):
    for number, column in enumerate((pa.nulls(1), pa.array([1]), pa.array(["x"]))):
        write(tmp_path / f"{number}.parquet", {"a": column})
    with pytest.raises(SchemaError, match=r"is int64 in .*1\.parquet and string in .*2\.parquet"):
        open_dataset(tmp_path)


def test_views_become_strings_that_arrow_can_filter(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": pa.array(["x", "y"], pa.string_view())})
    found = open_dataset(path).to_table()
    assert found.filter(pa.array([False, True])).to_pylist() == [{"a": "y"}]


def test_a_partition_key_of_another_type_than_the_column_of_others_conflicts(tmp_path):
    write(tmp_path / "a=x" / "p.parquet", {"b": [1]})
    write(tmp_path / "q.parquet", {"a": [1], "b": [1]})
    with pytest.raises(SchemaError, match=r"must have columns that fit together"):
        open_dataset(tmp_path)
