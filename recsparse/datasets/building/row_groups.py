"""Parquet files that are the same bytes however their rows come."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 65_536


def write_row_groups(reader: pa.RecordBatchReader, path: Path) -> None:
    """Write rows to Parquet in row groups of one size.

    DuckDB's batches have another size for another number of threads.

    Args:
        reader: The rows.
        path: The file.
    """
    with pq.ParquetWriter(path, reader.schema, compression="zstd") as file:
        for group in _even(reader):
            file.write_table(group)


def _even(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        held.append(batch)
        size += batch.num_rows
        while size >= ROWS:
            rows = pa.Table.from_batches(held)
            yield rows.slice(0, ROWS).combine_chunks()
            held, size = rows.slice(ROWS).to_batches(), size - ROWS
    if size:
        yield pa.Table.from_batches(held).combine_chunks()
