"""Ids as callers hand them over: checked, and turned into Arrow arrays."""

import logging
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsparse.datasets.id_types import ArrowStream, ids_of
from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.datasets.reading.timestamps import TOO_LATE
from recsparse.errors import InputError, UnknownIdError, nearest

logger = logging.getLogger(__name__)

Rows: TypeAlias = pd.DataFrame | pa.Table | pa.RecordBatch | ArrowStream

_CURES = {
    "user_id": "say what they get by --on-unknown null or popularity, or give the users' rows by "
    "--history",
    "item_id": "pass over them by --on-unknown null, or tell their features by --new-items",
}


def id_column(rows: Rows, name: str) -> pa.Array:
    """Return a column of ids.

    Args:
        rows: Any rows.
        name: The column's name.

    Returns:
        The column as one array, int64 or string.

    Raises:
        InputError: If there is no such column, or its ids are neither all integers nor all strings.
    """
    rows = as_table(rows)
    names = _names(rows)
    if name not in names:
        raise InputError(
            f"the table must have the column {name!r}, but it has "
            f"{', '.join(names) or 'none'}; {nearest(name, names)}"
        )
    return ids_of(rows[name], f"the column {name!r}")


def as_table(rows: Rows) -> pd.DataFrame | pa.Table:
    """Return rows as one of the two kinds of table that are used here.

    Args:
        rows: A frame of pandas, a table or batch of Arrow, or a table of another library that
            hands over Arrow memory.

    Returns:
        The same rows.
    """
    return rows if isinstance(rows, (pd.DataFrame, pa.Table)) else pa.table(rows)


def weight_column(rows: Rows) -> NDArray[np.float32]:
    """Return the weights of rows of interactions.

    Args:
        rows: Rows with an optional column `weight`.

    Returns:
        One weight per row, 1 where it is null or there is no such column.

    Raises:
        InputError: If a weight is negative or not finite, or is no number.
    """
    rows = as_table(rows)
    if "weight" not in _names(rows):
        return np.ones(len(rows), dtype=np.float32)
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and refused as such
        weights = _numbers(rows["weight"], unknown=1.0).astype(np.float32)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise InputError(
            f"weights must be finite and not negative, but {len(bad)} of {len(weights)} are not; "
            f"the first is row {bad[0]}: {weights[bad[0]]}; mend or drop those rows"
        )
    return weights


def time_column(rows: Rows) -> NDArray[np.int64]:
    """Return the times of rows of interactions.

    Args:
        rows: Rows with an optional column `timestamp`, seconds since 1970, null where unknown.

    Returns:
        One time per row, `NO_TIME` where it is unknown; the row's place among the others where no
        row has a time, which is warned of.

    Raises:
        InputError: If the column does not hold whole numbers, or one is after the year 2099, which
            is another unit.
    """
    rows = as_table(rows)
    is_there = "timestamp" in _names(rows)
    times = _arrow(rows["timestamp"]) if is_there else pa.nulls(len(rows))
    if times.null_count == len(rows):
        logger.warning(
            "no row of the history has a time in the column 'timestamp', so later rows are taken "
            "as later"
        )
        return np.arange(len(rows))
    if not pa.types.is_integer(times.type):
        raise InputError(
            f"timestamp must hold whole seconds since 1970, but is of type {times.type}; convert "
            "it, or leave it out where the rows are in the order of time"
        )
    latest = pc.max(times).as_py()
    if latest >= TOO_LATE:
        raise InputError(
            f"timestamp must hold seconds since 1970 before the year 2100, but the largest is "
            f"{latest}; divide them where they are of another unit"
        )
    return times.cast(pa.int64()).fill_null(NO_TIME).to_numpy(zero_copy_only=False)


def _numbers(column: pd.Series | pa.ChunkedArray, unknown: float) -> NDArray[np.float64]:
    try:
        numbers = _arrow(column).cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise InputError(f"weights must be numbers, but {error}; cast them") from error
    found: NDArray[np.float64] = numbers.fill_null(unknown).to_numpy(zero_copy_only=False)
    return found


def _arrow(column: pd.Series | pa.ChunkedArray) -> pa.Array:
    # Of pandas' columns NaN stays what it is; only what pandas itself calls null is null.
    array = pa.array(column, from_pandas=False) if isinstance(column, pd.Series) else column
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _names(rows: pd.DataFrame | pa.Table) -> list[str]:
    return [*map(str, rows.column_names if isinstance(rows, pa.Table) else rows.columns)]


def refuse_unknown(
    name: str,
    ids: pa.Array,
    index: NDArray[np.int64],
    cure: str | None = None,
) -> None:
    """Raise an error if any id is unknown.

    Args:
        name: What the ids are, `user_id` or `item_id`.
        ids: The ids.
        index: Their indices, -1 for an unknown one.
        cure: What the caller may do; None names the options of the jobs that score.

    Raises:
        UnknownIdError: If there is an unknown id.
    """
    found = UnknownIds(name, cure)
    found.add(ids, index)
    found.refuse()


class UnknownIds:
    """Counts ids that a model does not know, over any number of tables.

    Args:
        name: What the ids are, `user_id` or `item_id`.
        cure: What the caller may do; None names the options of the jobs that score.
    """

    def __init__(self, name: str, cure: str | None = None) -> None:
        self.name, self.cure = name, cure or _CURES[name]
        self.rows, self.count, self.first = 0, 0, ""

    def add(self, ids: pa.Array, index: NDArray[np.int64]) -> None:
        """Count the unknown ones of some rows.

        Args:
            ids: The ids.
            index: Their indices, -1 for an unknown one.
        """
        unknown = np.flatnonzero(index < 0)
        if len(unknown) and not self.count:
            row = int(unknown[0])
            self.first = f"row {self.rows + row}: {ids[row].as_py()!r}"
        self.count += len(unknown)
        self.rows += len(index)

    def refuse(self) -> None:
        """Raise an error if there were any.

        Raises:
            UnknownIdError: With how many there were, and the first.
        """
        if self.count:
            raise UnknownIdError(
                f"every {self.name} must be known to the model, but {self.count} of {self.rows} "
                f"are not; the first is {self.first}; {self.cure}"
            )


def slices(length: int, size: int) -> Iterator[slice]:
    """Yield slices that cover a sequence.

    Args:
        length: Of the sequence.
        size: Of each slice but the last.

    Yields:
        Slices in order.
    """
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
