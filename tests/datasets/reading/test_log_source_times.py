"""Times of a log: their units, dates that digits spell, and odd ones."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.errors import InputError
from tests.datasets.reading.log_files import SECONDS, batches, write

LOGGER = "recsparse.datasets.reading.log_source"
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
