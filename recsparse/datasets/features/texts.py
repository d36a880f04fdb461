"""Columns of a table as texts."""

import pyarrow as pa

from recsparse.datasets.schema import is_list


def texts_of(column: pa.ChunkedArray, name: str) -> list[str | None]:
    """Return a column as texts, of a list all its elements; an integer becomes the word name_3.

    Args:
        column: Strings, or lists of strings or integers.
        name: Its name.

    Returns:
        One text per row; None where there is none.
    """
    if not is_list(column.type):
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
        return texts
    prefix = f"{name}_" if pa.types.is_integer(column.type.value_type) else ""
    return [
        " ".join(f"{prefix}{each}" for each in row if each is not None) if row else None
        for row in column.to_pylist()
    ]
