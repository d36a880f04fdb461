"""What the numbers of a time column count."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recsparse.datasets.reading.date_digits import may_spell_dates, seconds_of_digits
from recsparse.datasets.reading.fragments import READ_ERRORS, unreadable
from recsparse.datasets.reading.tables import read_batches
from recsparse.datasets.reading.timestamps import NumberUnit

_BATCH_ROWS = 131_072
Range = tuple[int | float, int | float]
# As days, the numbers of a column lie where no seconds do; as hours, where those of 2032 do.
_CERTAIN_BELOW = 10**8


def number_unit(source: ds.Dataset, name: str, unit: NumberUnit) -> NumberUnit:
    """Return what the numbers of a column count.

    Args:
        source: The files.
        name: The time column.
        unit: What they are said to count.

    Returns:
        The same, but `date` in the place of `auto` where all numbers of the column spell dates of
        the years 1970 to 2099, as 20260125 does. Where the statistics of Parquet files rule that
        out, which those of the first row group do as a rule, nothing is read.

    Raises:
        InputError: If a file cannot be read.
    """
    if unit != "auto" or name not in source.schema.names or not _is_number(source, name):
        return unit
    low: int | float = np.inf
    high: int | float = -np.inf
    for first, last in _ranges(source, name):
        low, high = min(low, first), max(high, last)
        if not may_spell_dates(low, high):
            return unit
    if low > high:
        return unit
    return "date" if high < _CERTAIN_BELOW or _all_spell_dates(source, name) else unit


def _is_number(source: ds.Dataset, name: str) -> bool:
    kind = source.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _ranges(source: ds.Dataset, name: str) -> Iterator[Range]:
    """Yield the lowest and the highest number of parts that together are the column."""
    for fragment in source.get_fragments():
        known = _known_ranges(fragment, name)
        if known is None:
            found = pa.chunked_array(list(_values(fragment, source.schema, name)), pa.float64())
            limits = pc.min_max(found)
            known = [(limits["min"].as_py(), limits["max"].as_py())]
        yield from ((low, high) for low, high in known if low is not None)


def _known_ranges(fragment: ds.Fragment, name: str) -> list[Range] | None:
    # From the statistics of a Parquet file, None where it has none.
    if not isinstance(fragment, ds.ParquetFileFragment):
        return None
    try:
        if name not in fragment.physical_schema.names:
            return []
        found = [group.statistics.get(name) for group in fragment.row_groups if group.num_rows]
    except READ_ERRORS as error:
        raise unreadable(fragment.path, fragment.format, error) from error
    if any(each is None or each["min"] is None for each in found):
        return None
    return [(each["min"], each["max"]) for each in found]


def _values(fragment: ds.Fragment, schema: pa.Schema, name: str) -> Iterator[pa.Array]:
    try:
        for batch in fragment.to_batches(schema=schema, columns=[name], batch_readahead=2):
            yield batch.column(0).cast(pa.float64(), safe=False)
    except READ_ERRORS as error:
        raise unreadable(fragment.path, fragment.format, error) from error


def _all_spell_dates(source: ds.Dataset, name: str) -> bool:
    for batch in read_batches(source, [name], _BATCH_ROWS):
        numbers = batch.column(0).drop_null().cast(pa.int64(), safe=False).to_numpy()
        if not seconds_of_digits(numbers)[1].all():
            return False
    return True
