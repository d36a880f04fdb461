import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.interaction_log import InteractionLog
from recsparse.errors import InputError, MissingFileError, SchemaError


def read(folder, config=None, **columns):
    path = folder / "log.parquet"
    pq.write_table(pa.table(columns), path)
    return InteractionLog.read(path, config or LogConfig())


def with_column(folder, name, column, **settings):
    """Read a log of as many users as the column has rows, and three items."""
    size = len(column)
    columns = {"user_id": list(range(size)), "item_id": [place % 3 for place in range(size)]}
    return read(folder, LogConfig(**settings), **{**columns, name: column})


@pytest.mark.parametrize(
    ("name", "column", "reason", "bad"),
    [
        ("user_id", pa.array([1, None, 2]), "user id is null", [1]),
        ("user_id", pa.array(["a", None, "b"]).dictionary_encode(), "user id is null", [1]),
        ("item_id", pa.array([None, "a", "b"], pa.string_view()), "item id is null", [0]),
        ("item_id", pa.array(["a", "", " "], pa.string_view()), "item id is blank", [1, 2]),
        ("weight", pa.array([1.0, -1.0, 0.0]), "weight is negative", [1]),
        ("weight", pa.array([-math.inf, 1.0]), "weight is not finite", [0]),
        ("weight", pa.array([1.0, math.nan, math.inf, None]), "weight is not finite", [1, 2]),
        ("weight", pa.array([1e300, 1.0]), "weight is not finite", [0]),
        ("timestamp", pa.array(["yesterday", "2020-01-01", None]), "timestamp cannot be read", [0]),
        ("timestamp", pa.array([math.inf, 7.5, None]), "timestamp cannot be read", [0]),
        ("timestamp", pa.array([7, 2**63], pa.uint64()), "timestamp cannot be read", [1]),
    ],
)
def test_bad_rows_are_set_aside_with_their_reason(tmp_path, name, column, reason, bad):
    log = with_column(tmp_path, name, column)
    assert log.counts.rejected == {reason: len(bad)}
    assert log.rejected.num_rows == len(bad)
    assert log.rejected["reason"].to_pylist() == [reason] * len(bad)
    for found, place in zip(log.rejected[name].to_pylist(), bad, strict=True):
        assert found == pytest.approx(column[place].as_py(), nan_ok=True)
    assert log.table.num_rows == log.counts.rows_kept == len(column) - len(bad)


def test_a_row_with_several_faults_counts_once_by_its_ids_first(tmp_path):
    log = read(
        tmp_path,
        user_id=[1, None, 2, 3],
        item_id=[1, None, None, 3],
        weight=[1.0, -1.0, -1.0, -1.0],
        timestamp=["2020", "x", "x", "x"],
    )
    reasons = ["user id is null", "item id is null", "weight is negative"]
    assert log.rejected["reason"].to_pylist() == reasons
    assert log.counts.rejected == dict.fromkeys(sorted(reasons), 1)


def test_rejected_rows_keep_the_columns_of_the_file(tmp_path):
    config = LogConfig(user_column="who", item_column="what", weight_column="plays")
    log = read(tmp_path, config, who=["a", None], what=[1, 2], plays=[3, 4], other=[5, 6])
    assert log.rejected.to_pylist() == [
        {"who": None, "what": 2, "plays": 4, "reason": "user id is null"}
    ]


def test_with_strict_bad_rows_are_refused_and_the_first_is_shown(tmp_path):
    column = pa.array([1.0, -1.0, math.nan])
    message = (
        r"with strict, every row of .*log\.parquet must be good, but of 3 rows 2 are not \(weight "
        r"is not finite: 1, weight is negative: 1\); the first is \{'user_id': 1, 'item_id': 1, "
        r"'weight': -1\.0, 'reason': 'weight is negative'\}; mend them"
    )
    with pytest.raises(InputError, match=message):
        with_column(tmp_path, "weight", column, strict=True)


def test_with_strict_a_good_log_is_read(tmp_path):
    log = with_column(tmp_path, "weight", pa.array([1.0, 0.0]), strict=True)
    assert log.counts.rows_kept == 2


def test_a_log_without_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"the log must have rows, but .*log\.parquet has none"):
        read(tmp_path, user_id=pa.array([], pa.int64()), item_id=pa.array([], pa.int64()))


def test_a_log_without_good_rows_is_refused_and_the_reasons_are_listed(tmp_path):
    columns = {"user_id": [1, None, 3], "item_id": [1, 2, 3], "rating": [3.0, 5.0, None]}
    message = "of 3 none is left: user id is null: 1, rating too low: 2"
    with pytest.raises(InputError, match=message):
        read(tmp_path, LogConfig(min_rating=4), **columns)


def test_a_weight_column_of_nulls_weighs_one(tmp_path):
    log = with_column(tmp_path, "weight", pa.nulls(2))
    assert log.table["weight"].to_pylist() == [1.0, 1.0]


def test_a_weight_that_only_newer_files_have_is_one_in_the_older(tmp_path):
    ids = {"user_id": [1, 2], "item_id": [3, 4]}
    pq.write_table(pa.table(ids), tmp_path / "january.parquet")
    pq.write_table(pa.table({**ids, "weight": [2.0, None]}), tmp_path / "february.parquet")
    log = InteractionLog.read(tmp_path, LogConfig(duplicates="keep"))
    assert log.table["weight"].to_pylist() == [2.0, 1.0, 1.0, 1.0]
    assert log.counts.rejected == {}


ODD = {
    "bool": pa.array([True, False]),
    "double": pa.array([1.0, 2.0]),
    "null": pa.nulls(2),
    "date32": pa.array([1, 2], pa.date32()),
    "binary": pa.array([b"a", b"b"]),
    "decimal128": pa.array([1, 2]).cast(pa.decimal128(38, 2)),
    "list": pa.array([[1], [2]]),
    "struct": pa.array([{"a": 1}, {"a": 2}]),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ["user_id", "item_id"])
def test_ids_of_other_types_are_refused(tmp_path, name, kind):
    message = f"the column '{name}' must hold integers or strings, but holds {kind}.*; cast it"
    with pytest.raises(SchemaError, match=message):
        with_column(tmp_path, name, ODD[kind])


def test_ids_above_int64_are_refused(tmp_path):
    with pytest.raises(
        SchemaError, match=r"'item_id' must hold integers below 2\*\*63, but .*cast"
    ):
        with_column(tmp_path, "item_id", pa.array([2**63, 1], pa.uint64()))


@pytest.mark.parametrize("kind", [pa.string(), pa.list_(pa.float64()), pa.date32()], ids=str)
@pytest.mark.parametrize("name", ["weight", "rating"])
def test_numbers_of_other_types_are_refused(tmp_path, name, kind):
    with pytest.raises(SchemaError, match=f"the column '{name}' must hold numbers, but holds "):
        with_column(tmp_path, name, pa.nulls(2, kind))


def test_times_of_other_types_are_refused(tmp_path):
    with pytest.raises(SchemaError, match="the column 'timestamp' must hold timestamps or whole"):
        with_column(tmp_path, "timestamp", pa.array([True, False]))


@pytest.mark.parametrize("missing", ["user_id", "item_id"])
def test_a_missing_id_column_is_told_with_those_found_and_the_nearest(tmp_path, missing):
    there = {"user_id", "item_id"} - {missing}
    columns = {name: [1] for name in (*there, missing.replace("_", ""), "when")}
    message = (
        rf"log\.parquet must have the column '{missing}', but it has {', '.join(columns)}; the "
        f"nearest known is '{missing.replace('_', '')}'"
    )
    with pytest.raises(SchemaError, match=message):
        read(tmp_path, **columns)


def test_the_lowest_rating_needs_a_rating_column(tmp_path):
    with pytest.raises(SchemaError, match="must have the column 'rating', but it has user_id, it"):
        read(tmp_path, LogConfig(min_rating=4), user_id=[1], item_id=[1])


def test_one_column_cannot_be_users_and_items(tmp_path):
    config = LogConfig(item_column="user_id")
    with pytest.raises(SchemaError, match="must be two columns, but both are 'user_id'; set log"):
        read(tmp_path, config, user_id=[1, 2], item_id=[1, 2])


def test_no_such_file_is_named(tmp_path):
    with pytest.raises(
        MissingFileError, match=r"nowhere\.parquet must be a Parquet or CSV file or fold"
    ):
        InteractionLog.read(tmp_path / "nowhere.parquet", LogConfig())


def test_a_folder_without_parquet_is_named(tmp_path):
    with pytest.raises(InputError, match="must hold Parquet or CSV files"):
        InteractionLog.read(tmp_path, LogConfig())


def test_truncated_and_damaged_files_are_named(tmp_path):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": list(range(99)), "item_id": [1] * 99}), path)
    whole = path.read_bytes()
    for damaged in (whole[:-20], b"PAR1" + b"\xff" * 40 + whole[44:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"log\.parquet must be a complete Parquet file"):
            InteractionLog.read([path], LogConfig())


def test_types_that_differ_between_files_are_refused(tmp_path):
    for name, users in (("a", [1]), ("b", ["1"])):
        pq.write_table(pa.table({"user_id": users, "item_id": [1]}), tmp_path / f"{name}.parquet")
    with pytest.raises(
        SchemaError, match=r"'user_id' must have one type, but is int64 in .*a\.par"
    ):
        InteractionLog.read(tmp_path, LogConfig())
