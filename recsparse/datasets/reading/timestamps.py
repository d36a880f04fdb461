"""Times of events, whatever their type, as seconds since 1970, UTC."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.datasets.reading.date_digits import seconds_of_digits
from recsparse.datasets.schema import id_type, in_one_chunk
from recsparse.errors import SchemaError

# What numbers count: `auto` takes them for seconds and marks those that cannot be, `date` is for
# those that spell dates, as 20260125.
NumberUnit: TypeAlias = Literal["auto", "s", "ms", "us", "ns", "date"]

# Pandas would also read "now", and seconds such as 1510122312 as a day of the year 1510.
_ISO_START = r"^\d{4}($|-|\d{4}($|[T ]))"
_ISO_WITH_A_UNIT = r"^\d{4}(-|\d{4}[T ])"
# Those of 19 digits that 63 bits hold for certain; the others are taken as fractions are.
_WHOLE, _FRACTION = r"^[+-]?(\d{1,18}|[0-8]\d{18})$", r"^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$"
# Texts of six or eight digits are dates or nothing.
_DATES_ALONE = r"^\d{6}(\d\d)?$"

# Seconds of the year 2100, which no log has reached.
TOO_LATE = 4_102_444_800
_SECONDS_OF_A_YEAR = 31_556_952
# Of a second.
PER_UNIT = {"auto": 1, "s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NAMES = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True, eq=False)
class Times:
    """A time column.

    Attributes:
        seconds: int64, seconds since 1970, UTC, null where unknown.
        unreadable: True for each row whose value cannot be read.
        implausible: True for each row whose number, of no stated unit, would be a second before
            1970 or after 2099.
    """

    seconds: pa.Array
    unreadable: np.ndarray
    implausible: np.ndarray


@dataclass(frozen=True)
class TimeCounts:
    """How many of the times that were read cannot be seconds.

    Attributes:
        known: Rows with a time.
        implausible: Those of them that cannot be seconds.
        farthest: The one that is farthest from 1970.
    """

    known: int = 0
    implausible: int = 0
    farthest: int = 0

    @classmethod
    def of(cls, times: Times) -> "TimeCounts":
        """Count the times of a column.

        Args:
            times: The column.

        Returns:
            The counts.
        """
        wrong = times.seconds.fill_null(0).to_numpy()[times.implausible]
        farthest = int(wrong[np.abs(wrong).argmax()]) if len(wrong) else 0
        return cls(len(times.seconds) - times.seconds.null_count, len(wrong), farthest)

    def plus(self, other: "TimeCounts") -> "TimeCounts":
        """Return the counts of both.

        Args:
            other: Counts of other rows.

        Returns:
            Their sum.
        """
        return TimeCounts(
            self.known + other.known,
            self.implausible + other.implausible,
            max(self.farthest, other.farthest, key=abs),
        )


def to_seconds(
    table: pa.Table, name: str, unit: NumberUnit = "auto"
) -> tuple[pa.Array, np.ndarray]:
    """Read a time column; see `read_times`.

    Args:
        table: Any table.
        name: Name of the column; a table without it has no times.
        unit: What numbers count.

    Returns:
        Seconds as int64, null where unknown, and True for each row whose value cannot be read.

    Raises:
        SchemaError: If the column holds anything else.
    """
    times = read_times(table, name, unit)
    return times.seconds, times.unreadable


def read_times(table: pa.Table, name: str, unit: NumberUnit = "auto") -> Times:
    """Read a time column.

    Arrow timestamps of any unit and zone and dates are converted (without a zone they count as
    UTC); numbers count `unit` since 1970; strings are parsed as ISO 8601. Fractions of a second
    are dropped, rounding down. Where the unit is `auto`, strings of digits are dates if they spell
    one (202601, 20260125, 2026012513, 202601251330, 20260125133059) and seconds otherwise.

    Args:
        table: Any table.
        name: Name of the column; a table without it has no times.
        unit: What numbers count.

    Returns:
        The times.

    Raises:
        SchemaError: If the column holds anything else.
    """
    if name not in table.column_names:
        return _certain(pa.nulls(table.num_rows, pa.int64()))
    column = in_one_chunk(table[name])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type) or pa.types.is_integer(column.type):
        return _marked(*_from_integers(column, unit), unit)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _certain(_from_timestamps(column))
    if id_type(column.type) == pa.string():
        return _from_strings(column.cast(pa.string()), unit)
    if pa.types.is_floating(column.type):
        return _marked(*_from_floats(column, unit), unit)
    raise SchemaError(
        f"the column {name!r} must hold timestamps or whole seconds, but holds {column.type}; "
        "cast it"
    )


def _certain(seconds: pa.Array) -> Times:
    no = np.zeros(len(seconds), dtype=bool)
    return Times(seconds, no, no)


def _marked(seconds: pa.Array, unreadable: np.ndarray, unit: NumberUnit) -> Times:
    if unit != "auto":
        return Times(seconds, unreadable, np.zeros(len(seconds), dtype=bool))
    found = seconds.fill_null(0).to_numpy()
    return Times(seconds, unreadable, (found < 0) | (found >= TOO_LATE))


def unit_problem(latest: int, name: str) -> str:
    """Say what is wrong with numbers that were read as seconds but must be of another unit.

    Args:
        latest: The time that is farthest from 1970, in seconds.
        name: What to call the column.

    Returns:
        What is wrong, and the setting that mends it.

    Example:
        >>> unit_problem(1_767_225_600_000, "the column 't'")
        "the column 't' is read as seconds, which puts 1767225600000 into the year 57971; if these \
are milliseconds, set log.timestamp_unit = 'ms'"
    """
    unit = next((unit for unit in _NAMES if abs(latest) // PER_UNIT[unit] < TOO_LATE), "ns")
    if latest < 0:
        hint = "if this is meant, set log.timestamp_unit = 's', else mend them"
    else:
        hint = f"if these are {_NAMES[unit]}, set log.timestamp_unit = {unit!r}"
    year = 1970 + latest // _SECONDS_OF_A_YEAR
    return f"{name} is read as seconds, which puts {latest} into the year {year}; {hint}"


def _from_integers(column: pa.Array, unit: NumberUnit) -> tuple[pa.Array, np.ndarray]:
    ticks = column.cast(pa.int64(), safe=False)
    unreadable = np.zeros(len(column), dtype=bool)
    if pa.types.is_uint64(column.type):
        unreadable = pc.fill_null(pc.less(ticks, 0), False).to_numpy(zero_copy_only=False)
        ticks = pc.if_else(pa.array(unreadable), None, ticks)
    if unit == "date":
        seconds, spelled = seconds_of_digits(ticks.fill_null(0).to_numpy())
        unknown = pc.is_null(ticks).to_numpy(zero_copy_only=False)
        unreadable = unreadable | ~(spelled | unknown)
        return pa.array(seconds, mask=unreadable | unknown), unreadable
    return _divided(ticks, PER_UNIT[unit]), unreadable


def _divided(ticks: pa.Array, per_second: int) -> pa.Array:
    if per_second == 1:
        return ticks
    # Filled, since NumPy turns integers next to nulls into floats, which lose nanoseconds. Rounded
    # down, also before 1970.
    seconds = np.floor_divide(ticks.fill_null(0).to_numpy(), per_second)
    return pa.array(seconds, mask=pc.is_null(ticks).to_numpy(zero_copy_only=False))


def _from_timestamps(column: pa.Array) -> pa.Array:
    exact = column.cast(pa.timestamp("s")) if pa.types.is_date(column.type) else column
    return _divided(exact.cast(pa.int64()), PER_UNIT[exact.type.unit])


def _from_strings(column: pa.Array, unit: NumberUnit) -> Times:
    is_iso = pc.match_substring_regex(column, _ISO_START if unit == "auto" else _ISO_WITH_A_UNIT)
    dates = pc.if_else(is_iso, column, None).to_pandas()
    parsed = pd.to_datetime(dates, errors="coerce", utc=True, format="ISO8601").to_numpy(
        dtype="datetime64[s]"
    )
    others = pc.if_else(is_iso, None, column)
    numbers = _from_numbers(others, unit)
    seconds = pc.if_else(
        pa.array(np.isnat(parsed)), numbers.seconds, pa.array(parsed.astype(np.int64), pa.int64())
    )
    known = seconds.is_valid().to_numpy(zero_copy_only=False)
    given = column.is_valid().to_numpy(zero_copy_only=False)
    return Times(seconds, given & ~known, numbers.implausible)


def _from_numbers(texts: pa.Array, unit: NumberUnit) -> Times:
    # Null where a text is no number.
    whole = pc.if_else(pc.match_substring_regex(texts, _WHOLE), texts, None)
    if (
        whole.null_count == len(texts)
        and not pc.any(pc.match_substring_regex(texts, _FRACTION)).as_py()
    ):
        return _certain(pa.nulls(len(texts), pa.int64()))
    integers = pc.replace_substring_regex(whole, r"^\+", "").cast(pa.int64())
    is_fraction = pc.and_(pc.match_substring_regex(texts, _FRACTION), pc.is_null(whole))
    fractions = pc.if_else(is_fraction, texts, None).cast(pa.float64())
    found, _ = _from_integers(integers, unit)
    rest, _ = _from_floats(fractions, unit)
    times = _marked(pc.coalesce(found, rest), np.zeros(len(texts), dtype=bool), unit)
    return _as_dates(times, texts, integers) if unit == "auto" else times


def _as_dates(times: Times, texts: pa.Array, integers: pa.Array) -> Times:
    """Replace the times of the texts that spell dates by what they spell."""
    seconds, spelled = seconds_of_digits(integers.fill_null(0).to_numpy())
    alone = pc.match_substring_regex(texts, _DATES_ALONE).fill_null(False)
    kept = pc.if_else(alone, None, times.seconds)
    return Times(
        pc.if_else(pa.array(spelled), pa.array(seconds), kept),
        times.unreadable,
        times.implausible & ~spelled,
    )


def _from_floats(column: pa.Array, unit: NumberUnit) -> tuple[pa.Array, np.ndarray]:
    """Read numbers that became floating-point ones, as pandas makes them next to nulls."""
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
    unknown = np.isnan(values)
    unreadable = np.abs(np.nan_to_num(values)) >= 2.0**62
    whole = np.floor(np.where(unknown | unreadable, 0.0, values)).astype(np.int64)
    seconds, wrong = _from_integers(pa.array(whole, mask=unknown | unreadable), unit)
    return seconds, unreadable | wrong
