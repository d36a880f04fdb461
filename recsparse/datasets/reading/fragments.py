"""Cutting a dataset into pieces, so that reading does not run ahead of the use of the rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from recsparse.errors import InputError

# What Arrow and DuckDB raise when a file cannot be read.
READ_ERRORS = (OSError, pa.ArrowException)

# Bytes of a column that are read at once from a row group that is taken in slices.
_BUFFER = 2**20


def pieces(
    source: ds.Dataset, rows: int, columns: Sequence[str] | None = None
) -> Iterator[ds.Dataset]:
    """Yield the rows of a dataset as smaller datasets.

    A scanner of Arrow reads up to 1 GiB ahead of a slow reader, whatever its settings, and does so
    behind DuckDB too. Of a piece it can read no more than the piece has.

    Args:
        source: A dataset of files.
        rows: Rows of a piece, at most; a larger row group is a piece of its own, as is a file of
            text, whose number of rows is not known.
        columns: Those that will be read. With them, a larger row group is cut into slices in
            memory, which have no others; but a filter cannot skip slices unread.

    Yields:
        Datasets in the order of the files; the types of columns are those of the whole.

    Raises:
        InputError: If a file cannot be read; the message names it.
    """
    taken: list[ds.FileFragment] = []
    size = 0
    for fragment in source.get_fragments():
        for part, part_size in _parts(fragment, rows):
            if taken and (size + part_size > rows or not _are_alike(taken[0], part)):
                yield _dataset(taken, source.schema)
                taken, size = [], 0
            if columns is not None and part_size > rows:
                yield from _slices(part, rows, pa.schema([source.schema.field(n) for n in columns]))
                continue
            taken.append(part)
            size += part_size
    if taken:
        yield _dataset(taken, source.schema)


def first_unreadable(source: ds.Dataset, columns: Iterable[str]) -> InputError | None:
    """Return an error that names the first file of a dataset that cannot be read.

    Args:
        source: The dataset.
        columns: Those that were read.

    Returns:
        The error, or None if all files can be read.
    """
    names = list(dict.fromkeys(columns))
    for fragment in source.get_fragments():
        try:
            for _ in fragment.to_batches(schema=source.schema, columns=names):
                pass
        except READ_ERRORS as error:
            return unreadable(fragment.path, fragment.format, error)
    return None


def unreadable(path: str, form: ds.FileFormat | None, error: Exception) -> InputError:
    """Return the error of a file that cannot be read.

    Args:
        path: The file.
        form: Its format, None if unknown.
        error: What went wrong.

    Returns:
        An error that names the file.
    """
    if form is None:
        kind = "Parquet or CSV"
    else:
        kind = "Parquet" if isinstance(form, ds.ParquetFileFormat) else "CSV"
    cause = " ".join(str(error).split())
    if "CSV conversion error" in cause:
        return InputError(
            f"{path} must hold values of one type in each column, but {cause}; mend those rows, "
            "or, where these are ids, set log.id_type = 'string'"
        )
    if "Expected all lists to be of size" in cause:
        return InputError(
            f"{path} must hold lists of any size where some are null: PyArrow before 26 cannot "
            f"read nulls among lists of a fixed size ({cause}); install a newer one, or write that "
            "column as lists of any size, as by column.cast(pa.list_(pa.float32()))"
        )
    return InputError(
        f"{path} must be a complete {kind} file, but reading it failed: {cause}; copy or write it "
        "again"
    )


def _parts(fragment: ds.FileFragment, rows: int) -> Iterator[tuple[ds.FileFragment, int]]:
    # Yields runs of row groups, and their rows.
    if not isinstance(fragment, ds.ParquetFileFragment):
        yield fragment, rows
        return
    try:
        sizes = [group.num_rows for group in fragment.row_groups]
    except READ_ERRORS as error:
        raise unreadable(fragment.path, fragment.format, error) from error
    start = size = 0
    for place, group in enumerate(sizes):
        if size and size + group > rows:
            yield fragment.subset(row_group_ids=range(start, place)), size
            start, size = place, 0
        size += group
    if size:
        yield fragment.subset(row_group_ids=range(start, len(sizes))), size


def _slices(
    part: ds.ParquetFileFragment, rows: int, schema: pa.Schema
) -> Iterator[ds.InMemoryDataset]:
    keys = ds.get_partition_keys(part.partition_expression)
    groups = [group.id for group in part.row_groups]
    try:
        with part.open() as file:
            reader = pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
            there = [name for name in schema.names if name in reader.schema_arrow.names]
            for batch in reader.iter_batches(rows, groups, there):
                columns = [_column(batch, field, keys) for field in schema]
                yield ds.dataset(pa.table(columns, schema=schema))
    except READ_ERRORS as error:
        raise unreadable(part.path, part.format, error) from error


def _column(batch: pa.RecordBatch, field: pa.Field, keys: Mapping[str, Any]) -> pa.Array:
    if field.name in batch.schema.names and field.name not in keys:
        return batch.column(field.name)
    # A key of the partition, which Arrow too prefers to a column, or what this file lacks.
    return pa.repeat(pa.scalar(keys.get(field.name), field.type), batch.num_rows)


def _are_alike(one: ds.FileFragment, other: ds.FileFragment) -> bool:
    return bool(one.format == other.format and one.filesystem == other.filesystem)


def _dataset(fragments: list[ds.FileFragment], schema: pa.Schema) -> ds.Dataset:
    first = fragments[0]
    return ds.FileSystemDataset(fragments, schema, first.format, first.filesystem)
