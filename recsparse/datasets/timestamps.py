"""Times of events, whatever their type, as seconds since 1970, UTC."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.datasets.schema import id_type
from recsparse.errors import SchemaError

# Pandas would also read "now", and seconds such as 1510122312 as a day of the year 1510.
_ISO_START = r"^\d{4}($|-|\d{4}($|[T ]))"


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
    column = table[name].combine_chunks()
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
