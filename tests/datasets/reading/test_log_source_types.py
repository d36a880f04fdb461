import logging
import time
import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.log_source import LogSource
from recsparse.errors import InputError, SchemaError

SECONDS = 1_767_225_600
LOGGER = "recsparse.datasets.reading.log_source"


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = len(next(iter(columns.values())))
    ids = {"user_id": np.arange(size), "item_id": np.zeros(size, np.int64)}
    pq.write_table(pa.table({**ids, **columns}), path)
    return path


def batches(path, batch_rows=1_048_576, **settings):
    return list(LogSource.open(path, LogConfig(**settings)).batches(batch_rows))


def good(path, **settings):
    return pa.concat_tables([batch.good for batch in batches(path, **settings)])


# Events


def test_a_missing_event_column_is_told_with_the_nearest(tmp_path):
    path = write(tmp_path / "log.parquet", events=["view"])
    message = "must have the column 'event', but it has .*; the nearest known is 'events'"
    with pytest.raises(SchemaError, match=message):
        LogSource.open(path, LogConfig(event_weights={"view": 1}))


def test_events_of_every_file_are_weighed_as_pandas_does(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, 9, 90),
            "item_id": rng.integers(0, 9, 90),
            "event": rng.choice(["view", "cart", "purchase", "hover", None], 90),
            "rating": rng.integers(1, 6, 90),
        }
    )
    for number, part in enumerate(np.split(np.arange(90), 3)):
        frame.iloc[part].to_parquet(tmp_path / f"{number}.parquet", index=False)
    weights = {"view": 1.0, "cart": 3.0, "purchase": 10.0}
    found = batches(tmp_path, 7, event_weights=weights, min_rating=3)
    expected = frame.assign(weight=frame.event.map(weights)).dropna(subset="weight")
    liked = expected[expected.rating >= 3]
    table = pa.concat_tables([batch.good for batch in found])
    for name in ("user_id", "item_id", "weight"):
        assert table[name].to_pylist() == liked[name].tolist()
    assert sum(batch.other_events for batch in found) == 90 - len(expected)
    assert sum(batch.below_min_rating for batch in found) == len(expected) - len(liked)


def test_events_of_a_partition_key_have_weights(tmp_path):
    for event in ("view", "purchase", "hover"):
        write(tmp_path / f"event={event}" / "log.parquet", user_id=[len(event)])
    found = good(tmp_path, event_weights={"view": 1, "purchase": 10})
    weights = dict(zip(found["user_id"].to_pylist(), found["weight"].to_pylist(), strict=True))
    assert weights == {4: 1.0, 8: 10.0}


def test_files_that_disagree_on_the_type_of_ids_are_both_named(tmp_path):
    write(tmp_path / "0.parquet", item_id=[1])
    write(tmp_path / "1.parquet", item_id=[1.0])
    with pytest.raises(
        SchemaError, match=r"'item_id' .* int64 in .*0\.parquet and double in .*1\.p"
    ):
        LogSource.open(tmp_path, LogConfig())


# Units of time


UNITS = {"ms": ("milliseconds", 10**3), "us": ("microseconds", 10**6), "ns": ("nanoseconds", 10**9)}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("where", [None, "user_id >= 0"])
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.uint64(), pa.string()], ids=str)
def test_another_unit_than_seconds_is_refused_and_the_setting_is_named(tmp_path, unit, where, kind):
    name, per_second = UNITS[unit]
    places = np.arange(4) * (1024 if kind == pa.float64() else 1)  # as far apart as doubles are
    times = pa.array(places + SECONDS * per_second).cast(kind, safe=False)
    for number in range(3):
        write(tmp_path / f"{number}.parquet", when=times)
    message = (
        rf"the column 'when' of {tmp_path} is read as seconds, .* if these are {name}, set "
        rf"log.timestamp_unit = '{unit}'; 12 of 12 times are before 1970 or after 2099"
    )
    with pytest.raises(InputError, match=message):
        batches(tmp_path, 2, timestamp_column="when", where=where)
    found = batches(tmp_path, timestamp_column="when", where=where, timestamp_unit=unit)
    seconds = [time for each in found for time in each.good["timestamp"].to_pylist()]
    assert seconds == [SECONDS + int(place) // per_second for place in places] * 3


@pytest.mark.parametrize("odd", [-1, 4_102_444_800, 253_402_300_799, SECONDS * 1000])
def test_a_few_odd_times_are_set_aside_and_warned_of(tmp_path, caplog, odd):
    times = [SECONDS] * 299 + [None, odd, odd]
    path = write(tmp_path / "log.parquet", timestamp=times)
    with caplog.at_level(logging.WARNING, LOGGER):
        (batch,) = batches(path)
    assert batch.reasons == {"timestamp is before 1970 or after 2099": 2}
    assert batch.good.num_rows == 300
    (record,) = caplog.records
    assert "2 of 301 times are before 1970 or after 2099 and set aside" in record.message
    assert "log.timestamp_unit = " in record.message
    write(path, timestamp=[SECONDS] * 250 + [odd] * 3)
    with pytest.raises(InputError, match="3 of 253 times are before 1970 or after 2099"):
        batches(path)


def test_one_odd_time_is_no_unit_unless_it_is_the_only_one(tmp_path):
    path = write(tmp_path / "log.parquet", timestamp=[-5, SECONDS, None])
    assert batches(path)[0].reasons == {"timestamp is before 1970 or after 2099": 1}
    write(path, timestamp=[-5, None, None])
    with pytest.raises(InputError, match=r"the year 1969; if this is meant, set .* = 's', else"):
        batches(path)


@pytest.mark.parametrize("time", [-SECONDS, 5_000_000_000])
def test_with_a_stated_unit_every_time_is_taken(tmp_path, time):
    path = write(tmp_path / "log.parquet", timestamp=[time, time])
    assert batches(path, timestamp_unit="s")[0].good["timestamp"].to_pylist() == [time, time]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", [pa.int64(), pa.string()], ids=str)
def test_a_condition_sees_times_of_any_unit(tmp_path, unit, kind):
    per_second = UNITS[unit][1]
    ticks = [(SECONDS + second) * per_second - 1 for second in range(3)] + [-1]
    path = write(tmp_path / "log.parquet", timestamp=pa.array(ticks).cast(kind))
    found = batches(path, timestamp_unit=unit, where="timestamp >= '2026-01-01'")
    assert found[0].good["user_id"].to_pylist() == [1, 2]
    found = batches(path, timestamp_unit=unit, where="timestamp < '1970-01-01'")
    assert found[0].good["timestamp"].to_pylist() == [-1]


DAYS = [20260125, 20260126, 20251231]
AS_DIGITS = {
    "days": DAYS,
    "hours": [day * 100 + 13 for day in DAYS],
    "minutes": [day * 10_000 + 1359 for day in DAYS],
    "seconds": [day * 1_000_000 + 135_959 for day in DAYS],
}


@pytest.mark.parametrize("digits", AS_DIGITS)
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), "csv", "no statistics"])
def test_numbers_that_all_spell_dates_are_dates(tmp_path, digits, kind):
    form = {"days": "%Y%m%d", "hours": "%Y%m%d%H", "minutes": "%Y%m%d%H%M"}.get(
        digits, "%Y%m%d%H%M%S"
    )
    numbers = pa.array([*AS_DIGITS[digits], None])
    table = pa.table({"user_id": range(4), "item_id": range(4), "timestamp": numbers})
    path = tmp_path / ("log.csv" if kind == "csv" else "log.parquet")
    if kind == "csv":
        table.to_pandas(integer_object_nulls=True).to_csv(path, index=False)
    elif kind == "no statistics":
        pq.write_table(table, path, write_statistics=False)
    else:
        pq.write_table(table.set_column(2, "timestamp", numbers.cast(kind)), path)
    expected = [int(pd.to_datetime(str(n), format=form, utc=True).timestamp())
                for n in AS_DIGITS[digits]]  # fmt: skip
    (batch,) = batches(path)
    assert batch.good["timestamp"].to_pylist() == [*expected, None]
    (batch,) = batches(path, where="timestamp >= '2026-01-26'")
    assert batch.good["user_id"].to_pylist() == [1]


def test_seconds_of_2032_are_no_hours_unless_all_of_them_spell_one(tmp_path):
    times = [1_970_010_100, 1_970_019_999]
    path = write(tmp_path / "log.parquet", timestamp=times)
    assert batches(path)[0].good["timestamp"].to_pylist() == times


def test_a_number_that_spells_no_day_among_days_is_set_aside(tmp_path):
    path = write(tmp_path / "log.parquet", timestamp=[20260131, 20260132])
    assert batches(path)[0].reasons == {"timestamp cannot be read": 1}


def test_with_a_unit_numbers_that_look_like_dates_are_none(tmp_path):
    path = write(tmp_path / "log.parquet", timestamp=DAYS)
    assert batches(path, timestamp_unit="s")[0].good["timestamp"].to_pylist() == DAYS


@pytest.mark.parametrize(
    "times",
    [
        pa.array([SECONDS, None]),
        pa.array([SECONDS + 0.5, np.nan]),
        pa.array([0, 4_102_444_799]),
        pa.array([SECONDS * 1000, None], pa.timestamp("ms")),
        pa.array([10**10, None], pa.timestamp("s")),
        pa.array(["2026-01-01", "9999-12-31"]),
        pa.array([2**31 - 1, None], pa.date32()),
        pa.nulls(2),
    ],
    ids=lambda times: str(times.type),
)
def test_times_that_can_be_meant_are_not_warned_of(tmp_path, caplog, times):
    with caplog.at_level(logging.WARNING, LOGGER):
        batches(write(tmp_path / "log.parquet", timestamp=times))
        batches(write(tmp_path / "log.parquet", user_id=[1]))
    assert caplog.records == []


# Batches


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(1, 8))
def test_batches_are_full_whatever_the_files(tmp_path_factory, sizes, batch_rows):
    folder, total = tmp_path_factory.mktemp("log"), sum(sizes)
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        write(folder / f"{number}.parquet", user_id=np.arange(start, start + size))
    found = batches(folder, batch_rows)
    users = [batch.good["user_id"].to_pylist() for batch in found]
    assert [user for part in users for user in part] == list(range(total))
    assert all(0 < len(part) <= batch_rows for part in users)
    # A batch is handed on only where the next piece has no room in it.
    longest = max(sizes)
    assert all(len(part) > batch_rows - longest for part in users[:-1])


def test_batches_of_long_ids_are_handed_on_before_they_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("recsparse.datasets.reading.log_source._MOST_BYTES", 100_000)
    for number in range(6):
        write(tmp_path / f"{number}.parquet", user_id=[str(number) * 10_000] * 4)
    found = batches(tmp_path)
    assert [batch.rows_read for batch in found] == [8, 8, 8]
    assert found[0].good["user_id"].to_pylist() == ["0" * 10_000] * 4 + ["1" * 10_000] * 4


LAYOUTS = {"many files": (40, 2_000), "one row group": (1, 80_000)}


@pytest.mark.parametrize("where", [None, "item_id >= 0"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_few_batches_are_alive_at_a_time(tmp_path, layout, where):
    files, rows = LAYOUTS[layout]
    for number in range(files):
        write(tmp_path / f"{number:02}.parquet", user_id=np.arange(rows))
    alive, seen = [], 0
    for batch in LogSource.open(tmp_path, LogConfig(where=where)).batches(4_000):
        alive = [other for other in alive if other() is not None]
        alive.append(weakref.ref(batch))
        assert len(alive) <= 2
        seen += batch.rows_read
    assert seen == 80_000


@pytest.mark.parametrize("where", [None, "item_id >= 0"])
@pytest.mark.parametrize("num_files", [1, 50])
def test_reading_does_not_run_ahead_of_a_slow_use(tmp_path, monkeypatch, where, num_files):
    for module in ("reading.tables", "reading.row_filter"):
        monkeypatch.setattr(f"recsparse.datasets.{module}._PIECE_ROWS", 100_000)
    rng, rows = np.random.default_rng(0), 1_000_000 // num_files
    for number in range(num_files):
        # Random, so that the file is no smaller than the rows.
        table = pa.table({"user_id": rng.integers(0, 2**62, rows), "item_id": np.arange(rows)})
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=20_000)
    before, peak = pa.total_allocated_bytes(), 0
    for _ in LogSource.open(tmp_path, LogConfig(where=where)).batches(50_000):
        peak = max(peak, pa.total_allocated_bytes() - before)
        time.sleep(0.02)
    # A piece takes 1.6 MB, and as much again as a batch that is made of it; all rows are 16 MB.
    assert peak < 8_000_000


# What the number of rows is known from


def test_the_number_of_rows_is_known_without_reading_unless_they_are_filtered(tmp_path):
    path = write(tmp_path / "log.parquet", user_id=[1, 2, 3])
    assert LogSource.open(path, LogConfig()).num_rows == 3
    assert LogSource.open(path, LogConfig(where="user_id > 1")).num_rows is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.int32(), pa.decimal128(9, 0)])
def test_the_types_of_ids_are_known_before_reading(tmp_path, kind):
    ids = pa.array(["1"]).cast(kind) if "string" in str(kind) else pa.array([1]).cast(pa.int32())
    source = LogSource.open(write(tmp_path / "log.parquet", user_id=ids), LogConfig())
    assert source.user_type == (pa.string() if "string" in str(kind) else pa.int64())
    assert source.item_type == pa.int64()


def test_only_columns_that_are_needed_are_read(tmp_path):
    path = write(tmp_path / "log.parquet", user_id=[1], rating=[5], text=["long"], part=["train"])
    source = LogSource.open(path, LogConfig(), ["part"])
    assert set(source.columns) == {"user_id", "item_id", "part", "rating"}
    assert isinstance(source.dataset, ds.Dataset)


def test_strict_refuses_the_first_batch_with_a_bad_row(tmp_path):
    write(tmp_path / "0.parquet", weight=[1.0, 1.0])
    write(tmp_path / "1.parquet", weight=[1.0, -1.0])
    reading = LogSource.open(tmp_path, LogConfig(strict=True)).batches(2)
    assert next(reading).rows_read == 2
    with pytest.raises(InputError, match=r"of 2 rows 1 are not \(weight is negative: 1\); the fir"):
        next(reading)
