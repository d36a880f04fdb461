"""Many small batches as few large ones, since each costs its own look-ups of ids."""

from collections.abc import Iterable, Iterator

import pyarrow as pa


def merged(
    batches: Iterable[pa.RecordBatch], most_rows: int, most_bytes: int
) -> Iterator[pa.Table]:
    """Yield the rows of batches in larger tables.

    Args:
        batches: Batches of one schema.
        most_rows: Rows of a table, at most.
        most_bytes: Bytes of a table, at most, unless a batch alone has more.

    Yields:
        Tables, in order.
    """
    parts: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        for part in _slices(batch, most_rows):
            if parts and (rows + part.num_rows > most_rows or size + part.nbytes > most_bytes):
                yield pa.Table.from_batches(parts)
                parts, rows, size = [], 0, 0
            parts.append(part)
            rows, size = rows + part.num_rows, size + part.nbytes
    if parts:
        yield pa.Table.from_batches(parts)


def _slices(batch: pa.RecordBatch, most_rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, most_rows):
        yield batch.slice(start, most_rows)
