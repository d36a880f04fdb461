"""Rows: interactions by index, in NumPy arrays, and their Arrow files."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsparse.datasets.schema import RATING, TIMESTAMP, WEIGHT
from recsparse.errors import InputError

USER_INDEX, ITEM_INDEX = "user_index", "item_index"
# In place of null: NumPy has none, and these sort where nulls belong, before every value.
NO_TIME = np.iinfo(np.int64).min
NO_RATING = np.float32(-np.inf)

INDEXED_SCHEMA = pa.schema(
    [
        pa.field(USER_INDEX, pa.int32(), nullable=False),
        pa.field(ITEM_INDEX, pa.int32(), nullable=False),
        pa.field(WEIGHT, pa.float32(), nullable=False),
        pa.field(TIMESTAMP, pa.int64()),
        pa.field(RATING, pa.float32()),
    ]
)


@dataclass(frozen=True, eq=False)
class Rows:
    """Interactions, one array a column.

    Attributes:
        user: int32.
        item: int32.
        weight: float32.
        timestamp: int64, seconds since 1970, UTC; `NO_TIME` where unknown.
        rating: float32; `NO_RATING` where unknown.
        part: uint8, the part that the log itself gives, if it does.
        text: int64, where the row's text is, if it has any.
    """

    user: np.ndarray
    item: np.ndarray
    weight: np.ndarray
    timestamp: np.ndarray
    rating: np.ndarray
    part: np.ndarray | None = None
    text: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.user)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The arrays that are there, by name."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: array for name, array in found.items() if array is not None}

    def take(self, where: np.ndarray | slice) -> "Rows":
        """Return some of the rows.

        Args:
            where: A mask, places or a slice.

        Returns:
            The rows there.
        """
        return Rows(**{name: array[where] for name, array in self.columns.items()})

    def with_weight(self, weight: np.ndarray) -> "Rows":
        """Return the rows with other weights.

        Args:
            weight: One number per row.

        Returns:
            The rows.
        """
        return replace(self, weight=weight.astype(np.float32))

    def to_batch(self) -> pa.RecordBatch:
        """Return the arrays as they are, for files of our own.

        Returns:
            A record batch without nulls.
        """
        return pa.RecordBatch.from_pydict(self.columns)

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch | pa.Table) -> "Rows":
        """Return what `to_batch` made.

        Args:
            batch: The arrays; those of one chunk are not copied.

        Returns:
            The rows.
        """
        return cls(**{name: np.asarray(batch.column(name)) for name in batch.schema.names})

    @classmethod
    def concatenate(cls, some: "list[Rows]") -> "Rows":
        """Return several blocks as one.

        Args:
            some: At least one, all with the same columns.

        Returns:
            The rows of all.
        """
        if len(some) == 1:
            return some[0]
        return cls(
            **{
                name: np.concatenate([each.columns[name] for each in some])
                for name in some[0].columns
            }
        )

    def to_indexed(self) -> pa.RecordBatch:
        """Return the rows as a dataset stores them.

        Returns:
            A record batch of `INDEXED_SCHEMA`, null where time or rating is unknown.
        """
        columns = [
            pa.array(self.user), pa.array(self.item), pa.array(self.weight),
            _nullable(self.timestamp, self.timestamp == NO_TIME),
            _nullable(self.rating, self.rating == NO_RATING),
        ]  # fmt: skip
        return pa.record_batch(columns, schema=INDEXED_SCHEMA)


def _nullable(values: np.ndarray, unknown: np.ndarray) -> pa.Array:
    return pa.array(values, mask=unknown if unknown.any() else None)


def first_of_user(user: np.ndarray) -> np.ndarray:
    """Return where the rows of each user begin.

    Args:
        user: Sorted indices.

    Returns:
        Places, rising; empty where there is no row.
    """
    changes = np.flatnonzero(user[1:] != user[:-1]) + 1
    return np.concatenate([np.zeros(min(len(user), 1), dtype=np.int64), changes])


class RowsWriter:
    """Writes blocks of rows to an Arrow file; opened as a context.

    Args:
        path: The file.
        schema: Of the record batches.
        compression: None where the file is to be mapped into memory.
    """

    def __init__(self, path: Path, schema: pa.Schema, compression: str | None = None) -> None:
        self._sink = pa.OSFile(str(path), "wb")
        options = pa.ipc.IpcWriteOptions(compression=compression)
        self._writer = pa.ipc.new_file(self._sink, schema, options=options)

    def __enter__(self) -> "RowsWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
        self._sink.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a block.

        Args:
            batch: Of the file's schema; an empty one is left out.
        """
        if batch.num_rows:
            self._writer.write_batch(batch)


def read_blocks(path: Path) -> Iterator[Rows]:
    """Yield the blocks of a file of `Rows.to_batch`.

    Args:
        path: The file.

    Yields:
        Rows, of which no more than a block is in memory.
    """
    # Not mapped: pages of a mapping that were touched count until all of it is let go.
    with pa.OSFile(str(path)) as source:
        file = pa.ipc.open_file(source)
        for number in range(file.num_record_batches):
            yield Rows.from_batch(file.get_batch(number))


def open_indexed(path: Path) -> pa.Table:
    """Return the rows of a dataset's part, mapped into memory.

    Args:
        path: The file.

    Returns:
        A table of `INDEXED_SCHEMA`; nothing of it is read until it is used.

    Raises:
        InputError: If the file is missing or damaged, or holds something else.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} must be the Arrow file that was written there, but {error}; make the folder "
            "anew"
        ) from error
    if table.schema != INDEXED_SCHEMA:
        raise InputError(
            f"{path} must have the columns {', '.join(INDEXED_SCHEMA.names)}, but has "
            f"{', '.join(table.column_names) or 'none'}; make the folder anew"
        )
    return table
