"""Ids as callers hand them over: checked, and turned into Arrow arrays."""

import logging
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.datasets.rows import NO_TIME
from recsparse.errors import InputError, UnknownIdError, nearest

logger = logging.getLogger(__name__)

Ids: TypeAlias = (
    Sequence[int] | Sequence[str] | NDArray[np.int64] | pd.Series | pa.Array | pa.ChunkedArray
)
Rows: TypeAlias = pd.DataFrame | pa.Table


def as_array(ids: Ids) -> pa.Array:
    """Return ids as one Arrow array.

    Args:
        ids: A list, a NumPy array, a pandas column or an Arrow array.

    Returns:
        The same ids in the same order.

    Raises:
        InputError: If they are of mixed types.
    """
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    try:
        return ids if isinstance(ids, pa.Array) else pa.array(ids)
    except pa.ArrowException as error:
        raise InputError(
            f"ids must be integers alone or strings alone, but {error}; cast them"
        ) from error


def id_column(rows: Rows, name: str) -> pa.Array:
    """Return a column of ids.

    Args:
        rows: Any rows.
        name: The column's name.

    Returns:
        The column as one array.

    Raises:
        InputError: If there is no such column, or its ids are of mixed types.
    """
    names = _names(rows)
    if name not in names:
        raise InputError(
            f"the table must have the column {name!r}, but it has "
            f"{', '.join(names) or 'none'}; {nearest(name, names)}"
        )
    return as_array(rows[name])


def weight_column(rows: Rows) -> NDArray[np.float32]:
    """Return the weights of rows of interactions.

    Args:
        rows: Rows with an optional column `weight`.

    Returns:
        One weight a row, 1 where there is no such column.

    Raises:
        InputError: If a weight is negative, null or not finite.
    """
    if "weight" not in _names(rows):
        return np.ones(len(rows), dtype=np.float32)
    weights: NDArray[np.float32] = rows["weight"].to_numpy().astype(np.float32)
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
        One time a row, `NO_TIME` where it is unknown; the row's place among the others where no row
        has a time, which is warned of.

    Raises:
        InputError: If the column does not hold whole numbers.
    """
    times = as_array(rows["timestamp"]) if "timestamp" in _names(rows) else pa.nulls(len(rows))
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
    return times.cast(pa.int64()).fill_null(NO_TIME).to_numpy(zero_copy_only=False)


def _names(rows: Rows) -> list[str]:
    return [*map(str, rows.column_names if isinstance(rows, pa.Table) else rows.columns)]


def refuse_unknown(name: str, ids: pa.Array, index: NDArray[np.int64]) -> None:
    """Raise an error if any id is unknown.

    Args:
        name: What the ids are, `user_id` or `item_id`.
        ids: The ids.
        index: Their indices, -1 for an unknown one.

    Raises:
        UnknownIdError: If there is an unknown id.
    """
    unknown = np.flatnonzero(index < 0)
    if len(unknown):
        first = unknown[0]
        raise UnknownIdError(
            f"every {name} must be known to the model, but {len(unknown)} of {len(index)} are not; "
            f"the first is row {first}: {ids[int(first)].as_py()!r}; pass on_unknown='null' or "
            "'popularity', or the users' rows as history"
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
