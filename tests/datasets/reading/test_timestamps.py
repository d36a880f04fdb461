import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.reading.timestamps import TimeCounts, read_times, to_seconds, unit_problem
from recsparse.errors import SchemaError

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read(column):
    seconds, unreadable = to_seconds(pa.table({"t": column}), "t")
    assert seconds.type == pa.int64()
    assert unreadable.dtype == bool
    return seconds.to_pylist(), unreadable.tolist()


@given(
    st.lists(st.none() | st.integers(-(2**62), 2**62), max_size=5),
    st.sampled_from(list(UNITS)),
    st.sampled_from([None, "UTC", "Asia/Tokyo", "-03:30"]),
)
def test_timestamps_of_any_unit_and_zone_are_rounded_down(ticks, unit, zone):
    expected = [None if tick is None else tick // UNITS[unit] for tick in ticks]
    assert read(pa.array(ticks, pa.timestamp(unit, zone))) == (expected, [False] * len(ticks))


def test_a_nanosecond_before_the_second_counts_beside_nulls_too():
    ticks = [1_600_000_000 * 10**9 - 1, None]
    assert read(pa.array(ticks, pa.timestamp("ns")))[0] == [1_600_000_000 - 1, None]


def test_a_zone_says_how_a_time_is_shown_not_when_it_was():
    noon = dt.datetime(2020, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    expected = int(dt.datetime(2020, 1, 1, 3, tzinfo=dt.UTC).timestamp())
    assert read(pa.array([noon], pa.timestamp("ms", "Asia/Tokyo")))[0] == [expected]


@given(st.lists(st.none() | st.dates(), max_size=5), st.sampled_from([pa.date32(), pa.date64()]))
def test_dates_are_midnight_of_any_year(dates, kind):
    expected = [
        None if date is None else (date - dt.date(1970, 1, 1)).days * 86400 for date in dates
    ]
    assert read(pa.array(dates, kind)) == (expected, [False] * len(dates))


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.uint16(), pa.uint64()])
def test_integers_are_seconds(kind):
    assert read(pa.array([3, None, 0], kind)) == ([3, None, 0], [False] * 3)


def test_integers_above_int64_cannot_be_read():
    column = pa.array([2**63, None, 2**63 - 1], pa.uint64())
    assert read(column) == ([None, None, 2**63 - 1], [True, False, False])


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.float16()])
def test_fractional_seconds_are_rounded_down_and_nan_is_unknown(kind):
    column = pa.array([1.5, None, -0.5, math.nan], kind, from_pandas=False)
    assert read(column) == ([1, None, -1, None], [False] * 4)


def test_infinite_and_huge_seconds_cannot_be_read():
    column = pa.array([math.inf, -math.inf, 1e19, 2.0**61])
    assert read(column) == ([None, None, None, 2**61], [True, True, True, False])


ISO = {
    "2020-01-01": "2020-01-01T00:00:00Z",
    "20200101": "2020-01-01T00:00:00Z",
    "2020": "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:00+02:00": "2019-12-31T22:00:00Z",
    "2020-01-01 12:00:00.9Z": "2020-01-01T12:00:00Z",
    "1969-12-31T23:59:59.9": "1969-12-31T23:59:59Z",
    "20200101T123000": "2020-01-01T12:30:00Z",
}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), "dictionary"])
def test_iso_strings_are_parsed_as_utc_without_an_offset(kind):
    column = pa.array([*ISO, None])
    column = column.dictionary_encode() if kind == "dictionary" else column.cast(kind)
    expected = [
        int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
        for text in ISO.values()
    ]
    assert read(column) == ([*expected, None], [False] * len(column))


# Pandas alone reads "now" as the present, and seconds such as 1510122312 as a day of 1510.
@pytest.mark.parametrize(
    "text",
    [
        "yesterday", "", "now", "today", "2020-13-01", "2020-02-30", "01.02.2020", "NaT", "null",
        "2020-01-01T25:00:00", "12:00", "2020-01-01 nonsense",
    ],
)  # fmt: skip
def test_other_strings_cannot_be_read(text):
    assert read(pa.array([text, "2020-01-01", None])) == (
        [None, 1577836800, None],
        [True, False, False],
    )


@given(st.lists(st.none() | st.datetimes(), max_size=4))
def test_strings_agree_with_arrow_timestamps(times):
    texts = pa.array([None if time is None else time.isoformat() for time in times], pa.string())
    assert read(texts) == read(pa.array(times, pa.timestamp("us")))


def test_a_table_without_the_column_and_a_column_of_nulls_have_no_times():
    seconds, unreadable = to_seconds(pa.table({"u": [1, 2]}), "t")
    assert (seconds.to_pylist(), unreadable.tolist()) == ([None, None], [False, False])
    assert read(pa.nulls(2)) == ([None, None], [False, False])
    assert read(pa.nulls(2, pa.string())) == ([None, None], [False, False])


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.float64(), pa.string(), pa.timestamp("ns", "UTC"), pa.date32()]
)
def test_no_rows_are_no_times(kind):
    assert read(pa.array([], kind)) == ([], [])


def test_chunks_are_read_as_one_column():
    assert read(pa.chunked_array([[1], [], [2, None]], pa.int64()))[0] == [1, 2, None]


@pytest.mark.parametrize(
    "kind",
    [pa.bool_(), pa.time32("s"), pa.duration("s"), pa.decimal128(9, 2), pa.list_(pa.int64())],
)
def test_other_types_are_refused(kind):
    with pytest.raises(SchemaError, match=r"'t' must hold timestamps or .* seconds, but holds"):
        to_seconds(pa.table({"t": pa.nulls(1, kind)}), "t")


@pytest.mark.parametrize(
    ("unit", "name", "per_second"),
    [("ms", "milliseconds", 10**3), ("us", "microseconds", 10**6), ("ns", "nanoseconds", 10**9)],
)
def test_another_unit_than_seconds_is_named_with_the_year_and_the_setting(unit, name, per_second):
    latest = 1_767_225_600 * per_second
    year = np.datetime64(latest, "s").astype("datetime64[Y]")
    message = unit_problem(latest, "the column 't'")
    assert message.startswith(
        f"the column 't' is read as seconds, which puts {latest} into the year {year};"
    )
    assert message.endswith(f"if these are {name}, set log.timestamp_unit = '{unit}'")


def test_the_year_is_that_of_the_calendar():
    end = dt.datetime(9998, 7, 1, tzinfo=dt.UTC)
    assert "into the year 9998;" in unit_problem(int(end.timestamp()), "t")


def test_numbers_of_no_stated_unit_that_cannot_be_seconds_are_marked():
    late = int(dt.datetime(2100, 1, 1, tzinfo=dt.UTC).timestamp())
    for kind in (pa.int64(), pa.float64(), pa.string()):
        column = pa.array([-1, 0, late - 1, late, None, 10**15]).cast(kind)
        times = read_times(pa.table({"t": column}), "t")
        assert times.implausible.tolist() == [True, False, False, True, False, True]
        counts = TimeCounts.of(times)
        assert counts == TimeCounts(known=5, implausible=3, farthest=10**15)
        assert counts.plus(TimeCounts(1, 1, -(10**16))) == TimeCounts(6, 4, -(10**16))
        assert not read_times(pa.table({"t": column}), "t", "s").implausible.any()


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.date32(), pa.string()], ids=str)
def test_times_with_a_unit_of_their_own_are_not_marked(kind):
    column = pa.array(["1950-01-01", "9999-12-31"])
    column = column if kind == pa.string() else column.cast(pa.date32()).cast(kind)
    assert not read_times(pa.table({"t": column}), "t").implausible.any()


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), max_size=5), st.sampled_from([*UNITS]))
def test_numbers_count_what_the_unit_says(ticks, unit):
    expected = [None if tick is None else tick // UNITS[unit] for tick in ticks]
    for kind in (pa.int64(), pa.float64(), pa.string()):
        column = pa.array(ticks, pa.int64()).cast(kind)
        found = to_seconds(pa.table({"t": column}), "t", unit)[0]
        assert found.to_pylist() == expected


SPELLED = {
    "202601": "2026-01-01T00:00", "20260125": "2026-01-25T00:00", "2026012513": "2026-01-25T13:00",
    "202601251359": "2026-01-25T13:59", "20260125135958": "2026-01-25T13:59:58",
    "2026-01": "2026-01-01T00:00", "2026-01-25 00:00:00": "2026-01-25T00:00",
}  # fmt: skip


@pytest.mark.parametrize("text", SPELLED)
def test_digits_are_the_date_that_they_spell(text):
    expected = int(dt.datetime.fromisoformat(SPELLED[text] + "+00:00").timestamp())
    assert read(pa.array([text, None])) == ([expected, None], [False, False])


@pytest.mark.parametrize("text", ["202613", "20260230", "20261301"])
def test_digits_of_a_date_that_there_is_not_are_no_seconds(text):
    assert read(pa.array([text])) == ([None], [True])


SECONDS_AS_TEXT = {
    "0": 0, "5": 5, "881250949": 881250949, "1510122312": 1510122312, "+7": 7,
    "1767225600.9": 1767225600, "1.7672256e9": 1767225600, "1970019999": 1970019999,
}  # fmt: skip


@pytest.mark.parametrize("text", SECONDS_AS_TEXT)
def test_other_digits_are_seconds(text):
    assert read(pa.array([text])) == ([SECONDS_AS_TEXT[text]], [False])
