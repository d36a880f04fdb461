"""Column names and Parquet schemas of everything that is read or written."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsparse.errors import SchemaError

USER_ID = "user_id"
ITEM_ID = "item_id"
WEIGHT = "weight"
TIMESTAMP = "timestamp"
RATING = "rating"
REASON = "reason"

# Ids keep one of two types through every file, by the setting `log.id_type`.
ID_KINDS = {"auto": None, "integer": pa.int64(), "string": pa.string()}


def interactions_schema(user_type: pa.DataType, item_type: pa.DataType) -> pa.Schema:
    """Return the canonical columns of interactions.

    Args:
        user_type: int64 or string.
        item_type: int64 or string.

    Returns:
        `timestamp` is in seconds since 1970, UTC; it and `rating` may be null.
    """
    return pa.schema(
        [
            pa.field(USER_ID, user_type, nullable=False),
            pa.field(ITEM_ID, item_type, nullable=False),
            pa.field(WEIGHT, pa.float32(), nullable=False),
            pa.field(TIMESTAMP, pa.int64()),
            pa.field(RATING, pa.float32()),
        ]
    )


def id_type(found: pa.DataType) -> pa.DataType | None:
    """Return the type that ids of a found type are kept in.

    Args:
        found: An Arrow type; dictionaries and runs count as their values, an extension as what it
            is stored in.

    Returns:
        int64, string, or None where the type cannot hold ids.
    """
    if pa.types.is_dictionary(found) or pa.types.is_run_end_encoded(found):
        return id_type(found.value_type)
    if isinstance(found, pa.BaseExtensionType):
        return id_type(found.storage_type)
    # Databases export whole numbers as decimals without fractions.
    if pa.types.is_integer(found) or (pa.types.is_decimal(found) and found.scale == 0):
        return pa.int64()
    is_string = pa.types.is_string(found) or pa.types.is_large_string(found)
    return pa.string() if is_string or pa.types.is_string_view(found) else None


def to_ids(
    column: pa.Array | pa.ChunkedArray, name: str, kind: pa.DataType | None = None
) -> pa.Array:
    """Return ids in the type that they are kept in.

    Args:
        column: Integers, decimals without fractions, strings, or dictionaries, runs or extensions
            of these.
        name: What to call the column in an error.
        kind: int64 or string, to keep them in it whatever they are; None for their own.

    Returns:
        int64 or string; null stays null, and a blank text is no integer but null.

    Raises:
        SchemaError: If the column holds anything else, an integer of more than 63 bits, or a text
            that is no integer where integers are wanted.
    """
    if isinstance(column, pa.ChunkedArray):
        column = in_one_chunk(column)
    own = id_type(column.type)
    if own is None:
        raise SchemaError(f"{name} must hold integers or strings, but holds {column.type}; cast it")
    try:
        ids = _decoded(column).cast(own)
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"{name} must hold integers below 2**63, but {error}; cast it to strings"
        ) from error
    if kind is None or kind == own:
        return ids
    return ids.cast(kind) if pa.types.is_string(kind) else _parsed(ids, name)


def _decoded(column: pa.Array) -> pa.Array:
    # Arrow casts neither dictionaries of views nor runs, nor always what an extension stores.
    if isinstance(column.type, pa.BaseExtensionType):
        return _decoded(column.storage)
    if pa.types.is_run_end_encoded(column.type):
        return _decoded(pc.run_end_decode(column))
    if pa.types.is_dictionary(column.type):
        values = column.dictionary
        kept = values if pa.types.is_null(values.type) else values.cast(id_type(values.type))
        return pa.DictionaryArray.from_arrays(column.indices, kept).dictionary_decode()
    return column


def _parsed(texts: pa.Array, name: str) -> pa.Array:
    texts = pc.if_else(pa.array(is_blank(texts)), None, texts) if len(texts) else texts
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"{name} must hold integers below 2**63, but {error}; mend those rows, or choose "
            "log.id_type = 'string'"
        ) from error


def is_blank(ids: pa.Array) -> np.ndarray:
    """Tell which ids are texts of nothing but white space, which are no ids.

    Args:
        ids: int64 or string, as `to_ids` returns them.

    Returns:
        True for each blank one; a null is none.
    """
    if not pa.types.is_string(ids.type):
        return np.zeros(len(ids), dtype=bool)
    try:
        spaces = pc.utf8_is_space(ids)
    except pa.ArrowInvalid:  # no UTF-8
        spaces = pc.ascii_is_space(ids)
    blank = pc.or_(pc.equal(ids, ""), spaces).fill_null(False)
    found: np.ndarray = blank.to_numpy(zero_copy_only=False)
    return found


def is_list(kind: pa.DataType) -> bool:
    """Tell whether a column holds lists of any length.

    Args:
        kind: Its type.

    Returns:
        Whether it does.
    """
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def in_one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; one that already is one is not copied.

    Args:
        column: Any column.

    Returns:
        The same values.
    """
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
