"""The table of items and its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from recsparse.datasets.parquet import open_dataset, read_columns, require_columns
from recsparse.datasets.schema import id_type, to_ids
from recsparse.errors import InputError, SchemaError


@dataclass(frozen=True)
class ItemsTable:
    """Items and what is written about them.

    Attributes:
        ids: One id an item, each once.
        texts: All text columns of the item, joined by a blank.
    """

    ids: pa.Array
    texts: tuple[str, ...]


def read_items(path: str | Path, item_column: str, text_columns: Sequence[str] = ()) -> ItemsTable:
    """Read a table of items.

    Args:
        path: A Parquet file or folder.
        item_column: Name of the id column.
        text_columns: Columns to join to one text; none named means every string column but the id.

    Returns:
        The items, in the order of the file; null text is empty.

    Raises:
        SchemaError: If a column is missing, or is no text, or there is no text column at all.
        MissingFileError: If there is nothing at the path.
        InputError: If a file is damaged, or an id is null or occurs twice.
    """
    source = open_dataset(path)
    require_columns(source, path, [item_column, *text_columns])
    names = list(text_columns) or [
        field.name
        for field in source.schema
        if id_type(field.type) == pa.string() and field.name != item_column
    ]
    if not names:
        raise SchemaError(
            f"{path} must have a text column, but has only {', '.join(source.schema.names)}"
        )
    table = read_columns(source, [item_column, *names])
    return ItemsTable(_checked_ids(table, item_column, path), _texts(table, names, path))


def _checked_ids(table: pa.Table, item_column: str, path: str | Path) -> pa.Array:
    column = to_ids(table[item_column], f"the column {item_column!r} of {path}")
    if column.null_count:
        raise InputError(
            f"every item of {path} must have an id, but {column.null_count} of {len(column)} "
            "have none; fill or drop them"
        )
    counts = column.value_counts()
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise InputError(
            f"every item of {path} must occur once, but {len(twice)} ids repeat; the first is "
            f"{twice[0]['values'].as_py()!r}; drop the extra rows"
        )
    return column


def _texts(table: pa.Table, names: Sequence[str], path: str | Path) -> tuple[str, ...]:
    for name in names:
        if id_type(table[name].type) != pa.string():
            raise SchemaError(
                f"the text column {name!r} of {path} must hold strings, but holds "
                f"{table[name].type}"
            )
    columns = [table[name].cast(pa.string()).to_pylist() for name in names]
    return tuple(" ".join(filter(None, texts)) for texts in zip(*columns, strict=True))
