"""Ids as callers hand them over, of whatever type, in the two types that they are kept in."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsparse.datasets.schema import id_type, is_blank, to_ids
from recsparse.errors import InputError


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


def require_distinct(ids: pa.Array, where: str) -> None:
    """Refuse ids of a table unless none is missing and none is there twice.

    Args:
        ids: As `ids_of` returns them.
        where: What to call the table.

    Raises:
        InputError: If an id is null, blank or occurs twice.
    """
    if missing := int(is_missing_id(ids).sum()):
        raise InputError(
            f"every row of {where} must have an id, but {missing} of {len(ids)} have none; "
            "fill or drop them"
        )
    counts = ids.value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise InputError(
            f"every id of {where} must occur once, but {len(twice)} repeat; the first is "
            f"{twice[0]['values'].as_py()!r}; drop the extra rows"
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
