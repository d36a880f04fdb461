"""Ids as callers hand them over, of whatever type, in the two types that they are kept in."""

import logging
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsparse.datasets.schema import id_type, is_blank, to_ids
from recsparse.errors import InputError

logger = logging.getLogger(__name__)

# What to do with an id that a table has more than once.
Duplicates = Literal["error", "last"]


@runtime_checkable
class ArrowStream(Protocol):
    """A column or a table of any library that hands over Arrow memory, as Polars does."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the memory.

        Args:
            requested_schema: The wanted types.

        Returns:
            A capsule.
        """


Ids: TypeAlias = (
    Sequence[int]
    | Sequence[str]
    | NDArray[Any]
    | pd.Series
    | pd.Index
    | pd.api.extensions.ExtensionArray
    | pa.Array
    | pa.ChunkedArray
    | ArrowStream
)


def ids_of(values: Ids, name: str = "ids") -> pa.Array:
    """Return ids in the type that they are kept in.

    Args:
        values: A list, a NumPy array, a pandas column or index of any type, an Arrow array, or a
            column of another library that hands over Arrow memory.
        name: What to call them in an error.

    Returns:
        int64 or string, in the same order; null stays null. Values without a type of their own,
        which are none or all null, become int64.

    Raises:
        InputError: If they are neither all integers of at most 63 bits nor all strings.

    Example:
        >>> ids_of(pd.Series(["b", "a"], dtype="category")).to_pylist()
        ['b', 'a']
    """
    array = _as_arrow(values, name)
    if array.null_count == len(array) and id_type(array.type) is None:
        return pa.nulls(len(array), pa.int64())
    return to_ids(array, name)


def is_missing_id(ids: pa.Array) -> NDArray[np.bool_]:
    """Tell which ids are missing: null, and texts of nothing but white space.

    Args:
        ids: As `ids_of` returns them.

    Returns:
        True for each such id.
    """
    null: NDArray[np.bool_] = ids.is_null().to_numpy(zero_copy_only=False)
    return null | is_blank(ids)


def rows_that_count(ids: pa.Array, where: str, duplicates: Duplicates) -> NDArray[np.bool_]:
    """Say which rows of a table count, of which each id is to be there once.

    Args:
        ids: As `ids_of` returns them, one per row.
        where: What to call the table.
        duplicates: What to do with an id that is there more than once: it is an error, or its last
            row counts.

    Returns:
        One truth per row.

    Raises:
        InputError: If an id is null or blank, or repeats where that is an error.
    """
    missing = np.flatnonzero(is_missing_id(ids))
    if len(missing):
        raise InputError(
            f"every row of {where} must have an id, but {len(missing)} of {len(ids)} have none, "
            f"the first in row {missing[0] + 1}; fill or drop them"
        )
    last = are_last(ids)
    num_extra = len(last) - int(last.sum())
    if num_extra and duplicates == "error":
        raise InputError(
            f"every id of {where} must occur once, but {_repeats(ids)}; drop the extra rows, or "
            "set features.duplicates = 'last' in prepare to read the last row of each"
        )
    if num_extra:
        logger.warning(
            "%d rows of %s are left out, since a later row has the same id", num_extra, where
        )
    return last


def are_last(ids: pa.Array) -> NDArray[np.bool_]:
    """Say which rows are the last with their id.

    Args:
        ids: One per row.

    Returns:
        One truth per row.
    """
    encoded = ids.dictionary_encode()
    last = np.zeros(len(encoded.dictionary), dtype=np.int64)
    last[encoded.indices.to_numpy()] = np.arange(len(ids))  # of equal places the last one stays
    result = np.zeros(len(ids), dtype=bool)
    result[last] = True
    return result


def _repeats(ids: pa.Array) -> str:
    counts = ids.value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    first = twice[0]["values"]
    rows = (np.flatnonzero(pc.equal(ids, first)) + 1).tolist()
    more = f" and {len(rows) - 2} more" if len(rows) > 2 else ""
    return (
        f"{len(twice)} repeat; the first is {first.as_py()!r}, in the rows {rows[0]} and "
        f"{rows[1]}{more}"
    )


def _as_arrow(values: Ids, name: str) -> pa.Array:
    if isinstance(values, np.ndarray) and values.dtype.kind == "T":
        values = values.astype(object)  # NumPy's own strings, which Arrow does not read
    try:
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            array = values
        elif isinstance(values, ArrowStream) and not isinstance(values, pd.Series):
            array = pa.chunked_array(values)
        else:
            array = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise InputError(
            f"{name} must be integers below 2**63 alone or strings alone, but {error}; cast them"
        ) from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
