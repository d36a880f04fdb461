"""Cutting a dataset into pieces, so that reading does not run ahead of the use of the rows."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.dataset as ds

from recsparse.errors import InputError

# What Arrow and DuckDB raise when a file cannot be read.
READ_ERRORS = (OSError, pa.ArrowException)


def pieces(source: ds.Dataset, rows: int) -> Iterator[ds.Dataset]:
    """Yield the rows of a dataset as smaller datasets of whole row groups.

    A scanner of Arrow reads up to 1 GiB ahead of a slow reader, whatever its settings, and does so
    behind DuckDB too. Of a piece it can read no more than the piece has.

    Args:
        source: A dataset of files.
        rows: Rows of a piece, at most; a larger row group is a piece of its own, as is a file of
            text, whose rows nobody knows.

    Yields:
        Datasets with the schema of the whole, in the order of the files.

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
            taken.append(part)
            size += part_size
    if taken:
        yield _dataset(taken, source.schema)


def damage(source: ds.Dataset, columns: Iterable[str]) -> InputError | None:
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


def _are_alike(one: ds.FileFragment, other: ds.FileFragment) -> bool:
    return bool(one.format == other.format and one.filesystem == other.filesystem)


def _dataset(fragments: list[ds.FileFragment], schema: pa.Schema) -> ds.Dataset:
    first = fragments[0]
    return ds.FileSystemDataset(fragments, schema, first.format, first.filesystem)
