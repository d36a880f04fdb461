"""Column names and Parquet schemas of everything that is read or written."""

import pyarrow as pa

from recsparse.errors import SchemaError

USER_ID = "user_id"
ITEM_ID = "item_id"
WEIGHT = "weight"
TIMESTAMP = "timestamp"
RATING = "rating"
REASON = "reason"
SCORE = "score"
RANK = "rank"

# Ids keep one of these two types through every file.
ID_TYPES = (pa.int64(), pa.string())


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
        found: An Arrow type; dictionaries count as their values.

    Returns:
        int64, string, or None where the type cannot hold ids.
    """
    if pa.types.is_dictionary(found):
        return id_type(found.value_type)
    # Databases export whole numbers as decimals without fractions.
    if pa.types.is_integer(found) or (pa.types.is_decimal(found) and found.scale == 0):
        return pa.int64()
    is_string = pa.types.is_string(found) or pa.types.is_large_string(found)
    return pa.string() if is_string or pa.types.is_string_view(found) else None


def to_ids(column: pa.Array | pa.ChunkedArray, name: str) -> pa.Array:
    """Return ids in the type that they are kept in.

    Args:
        column: Integers, decimals without fractions, strings, or dictionaries of these.
        name: What to call the column in an error.

    Returns:
        int64 or string; null stays null.

    Raises:
        SchemaError: If the column holds anything else, or an integer of more than 63 bits.
    """
    if isinstance(column, pa.ChunkedArray):
        column = in_one_chunk(column)
    kept = id_type(column.type)
    if kept is None:
        raise SchemaError(f"{name} must hold integers or strings, but holds {column.type}; cast it")
    try:
        return column.cast(kept)
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"{name} must hold integers below 2**63, but {error}; cast it to strings"
        ) from error


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
