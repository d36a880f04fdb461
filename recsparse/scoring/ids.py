"""Ids as callers hand them over: checked, and turned into Arrow arrays."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.errors import InputError, UnknownIdError, nearest

Ids: TypeAlias = (
    Sequence[int] | Sequence[str] | NDArray[np.int64] | pd.Series | pa.Array | pa.ChunkedArray
)


def as_array(ids: Ids) -> pa.Array:
    """Return ids as one Arrow array.

    Args:
        ids: A list, a NumPy array, a pandas column or an Arrow array.

    Returns:
        The same ids in the same order.
    """
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    return ids if isinstance(ids, pa.Array) else pa.array(ids)


def id_column(table: pa.Table, name: str) -> pa.Array:
    """Return a column of a table of ids.

    Args:
        table: Any table.
        name: The column's name.

    Returns:
        The column as one array.

    Raises:
        InputError: If there is no such column.
    """
    if name not in table.column_names:
        raise InputError(
            f"the table must have the column {name!r}, but it has "
            f"{', '.join(table.column_names) or 'none'}; {nearest(name, table.column_names)}"
        )
    return as_array(table[name])


def weight_column(table: pa.Table) -> NDArray[np.float32]:
    """Return the weights of rows of interactions.

    Args:
        table: Rows with an optional column `weight`.

    Returns:
        One weight a row, 1 where the table has none.
    """
    if "weight" in table.column_names:
        return table["weight"].to_numpy().astype(np.float32)
    return np.ones(table.num_rows, dtype=np.float32)


def unique_users(history: pd.DataFrame | pa.Table) -> pa.Array:
    """Return the users of some rows.

    Args:
        history: Rows with a column `user_id`.

    Returns:
        Each user once, in the order of first appearance.
    """
    column = history["user_id"]
    return as_array(column if isinstance(history, pa.Table) else pa.array(column)).unique()


def refuse_unknown(name: str, ids: pa.Array | pa.ChunkedArray, index: NDArray[np.int64]) -> None:
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
