import datetime as dt
import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.interaction_log import InteractionLog
from recsparse.datasets.reading.log_source import LogSource
from recsparse.errors import InputError, SchemaError
from tests.datasets.reading.test_row_filter import users

# 23:00 of 2025, the first second of 2026, unknown, and half past midnight.
NEW_YEAR = [1_767_222_000, 1_767_225_600, None, 1_767_227_400]
TIMES = [None if time is None else dt.datetime.fromtimestamp(time, dt.UTC) for time in NEW_YEAR]
BARE = [None if time is None else time.replace(tzinfo=None) for time in TIMES]
TIME_COLUMNS = {
    "int32": pa.array(NEW_YEAR, pa.int32()),
    "int64": pa.array(NEW_YEAR),
    "uint64": pa.array(NEW_YEAR, pa.uint64()),
    "double": pa.array([None if time is None else time + 0.5 for time in NEW_YEAR]),
    "odd doubles": pa.array([-np.inf, NEW_YEAR[1], np.nan, NEW_YEAR[3]], from_pandas=False),
    "seconds": pa.array(BARE, pa.timestamp("s")),
    "milliseconds": pa.array(BARE, pa.timestamp("ms")),
    "microseconds": pa.array(BARE, pa.timestamp("us")),
    "nanoseconds": pa.array(BARE, pa.timestamp("ns")),
    "UTC": pa.array(TIMES, pa.timestamp("us", "UTC")),
    "Tokyo": pa.array(TIMES, pa.timestamp("ns", "Asia/Tokyo")),
    "New York": pa.array(TIMES, pa.timestamp("ms", "America/New_York")),
    "dates": pa.array([time and time.date() for time in BARE], pa.date32()),
    "dates of 64 bits": pa.array([time and time.date() for time in BARE], pa.date64()),
    "text": pa.array(["2025-12-31T23:00:00", "2026-01-01", None, "2026-01-01 00:30:00.9"]),
    "text with offsets": pa.array(
        ["2026-01-01T00:30:00+02:00", "2026-01-01T00:00:00Z", None, "2025-12-31T23:30:00-01:00"]
    ),
    "short text": pa.array(["2025", "2026", None, "20260101T003000"]),
    "large text": pa.array(["2025-12-31", "2026-01-01", None, "2026-01-02"], pa.large_string()),
    "views": pa.array(["2025-12-31", "2026-01-01", None, "2026-01-02"], pa.string_view()),
    "dictionary": pa.array(["2025-12-31", "2026-01-01", None, "2026-01-02"]).dictionary_encode(),
    "unreadable text": pa.array(["9 o'clock", "2026-01-01", "", "2026-01-02"]),
}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("kind", TIME_COLUMNS)
def test_times_of_any_type_are_timestamps_in_utc(tmp_path, monkeypatch, kind, zone):
    monkeypatch.setenv("TZ", zone)
    columns = {"user_id": [1, 2, 3, 4], "item_id": [1, 1, 2, 2], "timestamp": TIME_COLUMNS[kind]}
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(columns), path)
    assert users(path, "timestamp >= '2026-01-01'") == [2, 4]
    before = [] if kind in ("odd doubles", "unreadable text") else [1]
    assert users(path, "timestamp < TIMESTAMP '2026-01-01 00:00:00'") == before
    source = LogSource.open(path, LogConfig(where="timestamp = '2026-01-01'"))
    seconds = [time for batch in source.batches() for time in batch.good["timestamp"].to_pylist()]
    assert NEW_YEAR[1] in seconds
    assert set(seconds) <= {NEW_YEAR[1]}


def test_a_partition_key_can_be_the_time(tmp_path):
    for day in ("2025-12-31", "2026-01-01", "2026-01-02"):
        (tmp_path / f"date={day}").mkdir()
        pq.write_table(
            pa.table({"user_id": [int(day[-2:])], "item_id": [1]}),
            tmp_path / f"date={day}/log.parquet",
        )
    named = {"timestamp_column": "date"}
    table = InteractionLog.read(tmp_path, LogConfig(**named)).table
    assert table["timestamp"].to_pylist() == [1767139200, 1767225600, 1767312000]
    assert users(tmp_path, "date >= '2026-01-01'", **named) == [1, 2]
    assert users(tmp_path, "year(date) = 2025", **named) == [31]


@pytest.mark.parametrize(
    ("column", "where", "found"),
    [
        (pa.array(["x", "y", None], pa.large_string()), "c = 'y'", [2]),
        (pa.array(["x", "y", None], pa.string_view()), "c IS NULL", [3]),
        (pa.array(["x", "y", None]).dictionary_encode(), "c IN ('y', 'z')", [2]),
        (pa.array([Decimal("1.5"), Decimal("2.5"), None]), "c > 2", [2]),
        (pa.array([1, 2**63, None], pa.uint64()), "c > 5", [2]),
        (pa.array([True, False, None]), "c", [1]),
        (pa.array([[1], [2, 3], None]), "len(c) = 2", [2]),
        (pa.array([{"a": 1}, {"a": 2}, None]), "c.a = 2", [2]),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_columns_of_many_types_can_be_compared(tmp_path, column, where, found):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": [1, 2, 3], "item_id": [1, 1, 2], "c": column}), path)
    assert users(path, where) == found


HALVES = pa.array([1, 2, 3], pa.int8()).cast(pa.float16())


@pytest.mark.parametrize("odd", [HALVES, pa.array([Decimal(1)] * 3, pa.decimal256(40, 0))])
def test_a_column_that_duckdb_cannot_read_is_in_nobodys_way_unless_it_is_needed(tmp_path, odd):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": [1, 2, 3], "item_id": [1, 1, 2], "c": odd}), path)
    assert users(path, "user_id > 1") == [2, 3]
    with pytest.raises(InputError, match='"c" not found'):
        LogSource.open(path, LogConfig(where="c > 1"))
    kind = re.escape(str(odd.type))
    with pytest.raises(
        SchemaError, match=f"'c' must be of a type that DuckDB reads, but holds {kind}"
    ):
        LogSource.open(path, LogConfig(where="user_id > 1", weight_column="c"))
