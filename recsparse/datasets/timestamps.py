"""Times of events, whatever their type, as seconds since 1970, UTC."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.datasets.schema import id_type, in_one_chunk
from recsparse.errors import SchemaError

# Pandas would also read "now", and seconds such as 1510122312 as a day of the year 1510.
_ISO_START = r"^\d{4}($|-|\d{4}($|[T ]))"

# Seconds of the year 2100, which no log has reached.
_TOO_LATE = 4_102_444_800
_SECONDS_OF_A_YEAR = 31_556_952
_PER_SECOND = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


def to_seconds(table: pa.Table, name: str) -> tuple[pa.Array, np.ndarray]:
    """Read a time column.

    Arrow timestamps of any unit and zone and dates are converted (without a zone they count as
    UTC); numbers are seconds; strings are parsed as ISO 8601. Fractions of a second are dropped,
    rounding down.

    Args:
        table: Any table.
        name: Name of the column; a table without it has no times.

    Returns:
        Seconds as int64, null where unknown, and True for each row whose value cannot be read.

    Raises:
        SchemaError: If the column holds anything else.
    """
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.int64()), np.zeros(table.num_rows, dtype=bool)
    column = in_one_chunk(table[name])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type) or pa.types.is_integer(column.type):
        return _from_integers(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _from_timestamps(column), np.zeros(len(column), dtype=bool)
    if id_type(column.type) == pa.string():
        return _from_strings(column)
    if pa.types.is_floating(column.type):
        return _from_floats(column)
    raise SchemaError(
        f"the column {name!r} must hold timestamps or whole seconds, but holds {column.type}; "
        "cast it"
    )


def unit_warning(seconds: pa.ChunkedArray, kind: pa.DataType, name: str) -> str | None:
    """Return a warning where numbers that were read as seconds must be of another unit.

    Args:
        seconds: The times as they were read.
        kind: The type of the column that they come from.
        name: What to call it.

    Returns:
        The warning, or None where no time is later than the year 2100 or the column has its own
        unit.

    Example:
        >>> unit_warning(pa.chunked_array([[1_767_225_600_000]]), pa.int64(), "the column 't'")
        "the column 't' is read as seconds, which puts 1767225600000 into the year 57971; if these \
are milliseconds, divide them by 1000 or cast them to an Arrow timestamp"
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    latest = pc.max(seconds).as_py()
    if latest is None or latest < _TOO_LATE:
        return None
    fitting = (unit for unit, per in _PER_SECOND.items() if latest // per < _TOO_LATE)
    unit = next(fitting, "nanoseconds")
    return (
        f"{name} is read as seconds, which puts {latest} into the year "
        f"{1970 + latest // _SECONDS_OF_A_YEAR}; if these are {unit}, divide them by "
        f"{_PER_SECOND[unit]} or cast them to an Arrow timestamp"
    )


def _from_integers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    seconds = column.cast(pa.int64(), safe=False)
    if not pa.types.is_uint64(column.type):
        return seconds, np.zeros(len(column), dtype=bool)
    wrapped = pc.fill_null(pc.less(seconds, 0), False).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(wrapped), None, seconds), wrapped


def _from_timestamps(column: pa.Array) -> pa.Array:
    exact = column.cast(pa.timestamp("s")) if pa.types.is_date(column.type) else column
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[exact.type.unit]
    # Filled, since NumPy turns integers beside nulls into floats, which lose nanoseconds.
    ticks = exact.cast(pa.int64()).fill_null(0).to_numpy()
    # Rounded down, also before 1970.
    seconds = np.floor_divide(ticks, per_second)
    return pa.array(seconds, mask=pc.is_null(column).to_numpy(zero_copy_only=False))


def _from_strings(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    is_iso = pc.match_substring_regex(column, _ISO_START)
    dates = pc.if_else(is_iso, column, None).to_pandas()
    parsed = pd.to_datetime(dates, errors="coerce", utc=True, format="ISO8601").to_numpy(
        dtype="datetime64[s]"
    )
    unknown = np.isnat(parsed)
    unreadable = unknown & ~pc.is_null(column).to_numpy(zero_copy_only=False)
    return pa.array(parsed.astype(np.int64), pa.int64(), mask=unknown), unreadable


def _from_floats(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Read seconds that became floating-point numbers, as pandas makes them beside nulls."""
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
    unknown = np.isnan(values)
    unreadable = np.abs(np.nan_to_num(values)) >= 2.0**62
    seconds = np.floor(np.where(unknown | unreadable, 0.0, values)).astype(np.int64)
    return pa.array(seconds, pa.int64(), mask=unknown | unreadable), unreadable
