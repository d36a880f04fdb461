"""Opening Parquet files and folders, with errors that name the file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from recsparse.datasets.reading.column_types import Layout, settled_types
from recsparse.datasets.reading.find_files import Files, Paths, find_files, named
from recsparse.datasets.reading.fragments import READ_ERRORS, first_unreadable, pieces, unreadable
from recsparse.datasets.reading.partitions import columns_of_keys, keys_of
from recsparse.datasets.reading.roles import NO_ROLES, Roles
from recsparse.errors import InputError, SchemaError, nearest
from recsparse.files.stand_ins import called

_PIECE_ROWS = 2**20


def open_dataset(paths: Paths, ids: Sequence[str] = (), roles: Roles = NO_ROLES) -> ds.Dataset:
    """Open one or several files or folders as one dataset; no rows are read but of files of text.

    Of those, columns of ids and times are looked through, since they are of a type only once every
    value is known; other columns without a role are of the type that their first rows have.

    Args:
        paths: Parquet or CSV files, folders, hive-partitioned folders (`date=2026-01-01/…`), whose
            partition keys become columns, globs, or addresses on filesystems that Arrow or fsspec
            open, such as `s3://bucket/folder`.
        ids: Columns of which whole numbers next to fractions are not widened; those that are ids by
            their role are such, too.
        roles: What columns are for, by which files of text and partition keys are read.

    Returns:
        An Arrow dataset; its files are in the order given, those of a folder sorted by path. It
        has the columns of all files, null where a file lacks one, in the widest of their types.

    Raises:
        MissingFileError: If there is nothing at a path.
        InputError: If no path is given, a folder has no file to read, or a file cannot be read.
        SchemaError: If a column has different types in different files, or occurs twice in one.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise InputError("there must be a file or folder to read, but none was given")
    found = [files for path in given for files in find_files(path)]
    schemas = {name: _schema(files, name) for files in found for name in files.names}
    keys = {file: own for files in found for file, own in keys_of(files).items()}
    layout = Layout(found, schemas, columns_of_keys(keys, schemas))
    settled = settled_types(layout, roles)
    known = {file: _without(schemas[file], settled) for file in layout.text_files}
    mixed = _check_types(schemas | known, [*ids, *roles.ids])
    partitioning = pa.schema([(name, settled[name]) for name in layout.keys])
    factories = [_factory(files, partitioning) for files in found]
    factory = factories[0] if len(factories) == 1 else ds.UnionDatasetFactory(factories)
    try:
        plain = [_plain(schema, mixed, settled) for schema in (*schemas.values(), partitioning)]
        return factory.finish(pa.unify_schemas(plain, promote_options="permissive"))
    except pa.ArrowException as error:
        raise SchemaError(
            f"{named(paths)} must have columns that fit together, each named once, but {error}; "
            "cast or rename them"
        ) from error


def require_columns(source: ds.Dataset | pa.Table, where: object, columns: Iterable[str]) -> None:
    """Raise an error unless a dataset has some columns.

    Args:
        source: The dataset, or a table.
        where: What to call it in the error.
        columns: The names.

    Raises:
        SchemaError: If a column is missing; the message lists those found and the nearest one.
    """
    found = source.schema.names
    for column in columns:
        if column not in found:
            raise SchemaError(
                f"{where} must have the column {column!r}, but it has "
                f"{', '.join(found) or 'none'}; {nearest(column, found)}"
            )


def read_columns(source: ds.Dataset, columns: Iterable[str]) -> pa.Table:
    """Read some columns of a dataset.

    Args:
        source: The dataset.
        columns: Their names; one that repeats is read once.

    Returns:
        The rows, in the order of the files.

    Raises:
        InputError: If a file is damaged; the message names the first such file.
    """
    names = list(dict.fromkeys(columns))
    try:
        return source.to_table(columns=names)
    except READ_ERRORS as error:
        raise first_unreadable(source, names) or unreadable("every file", None, error) from error


def read_batches(
    source: ds.Dataset, columns: Iterable[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a dataset a batch at a time; few are in memory at once.

    Args:
        source: The dataset.
        columns: Their names; one that repeats is read once.
        batch_rows: Rows of a batch, at most.

    Yields:
        Batches in the order of the files, none of them empty.

    Raises:
        InputError: If a file is damaged; the message names the first such file.
    """
    names = list(dict.fromkeys(columns))
    for piece in pieces(source, _PIECE_ROWS, names):
        try:
            for batch in piece.to_batches(columns=names, batch_size=batch_rows):
                if batch.num_rows:
                    yield batch
        except READ_ERRORS as error:
            raise first_unreadable(piece, names) or unreadable("every file", None, error) from error


def read_table(path: str | Path, columns: Iterable[str] = ()) -> pa.Table:
    """Read one Parquet file that belongs to a folder of ours.

    Args:
        path: The file.
        columns: Names that it must have.

    Returns:
        Its rows.

    Raises:
        InputError: If it is missing or damaged, or lacks a column.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except READ_ERRORS as error:
        raise InputError(
            f"{path} must be the Parquet file that was written there, but {error}; make the folder "
            "anew"
        ) from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(
            f"{path} must have the columns that were written there, but {', '.join(missing)} is "
            f"not among {', '.join(table.column_names) or 'none'}; make the folder anew"
        )
    return table


def _without(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    left_out = set(names)
    return pa.schema([field for field in schema if field.name not in left_out])


def _factory(files: Files, keys: pa.Schema) -> ds.FileSystemDatasetFactory:
    options = ds.FileSystemFactoryOptions(
        # The folders above what was named are no partition keys.
        partition_base_dir=files.base,
        partitioning=ds.HivePartitioning(keys),
    )
    names = list(files.names)
    return ds.FileSystemDatasetFactory(files.filesystem, names, files.format, options)


def _schema(files: Files, name: str) -> pa.Schema:
    try:
        return files.format.inspect(name, files.filesystem)
    except READ_ERRORS as error:
        raise unreadable(name, files.format, error) from error


def _check_types(schemas: Mapping[str, pa.Schema], ids: Sequence[str]) -> set[str]:
    # Returns the columns whose type differs between files, and refuses those that do not fit.
    seen: dict[str, tuple[pa.DataType, str]] = {}
    mixed = set()
    for file, schema in schemas.items():
        for field in schema:
            known, first = seen.setdefault(field.name, (field.type, file))
            if field.type == known:
                continue
            mixed.add(field.name)
            if pa.types.is_null(known):
                seen[field.name] = field.type, file
            elif not _are_close(field.type, known, field.name in ids):
                raise SchemaError(
                    f"the column {field.name!r} must have one type, but is {known} in "
                    f"{called(first)} and {field.type} in {called(file)}; cast one of them"
                )
    return mixed


def _are_close(one: pa.DataType, other: pa.DataType, are_ids: bool) -> bool:
    """Say whether Arrow casts between the types without loss of meaning; nulls fit all."""
    one, other = _values(one), _values(other)
    if pa.types.is_null(one):
        return True
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other):
        # With a zone both are instants; without one, it may be another clock.
        return (one.tz is None) == (other.tz is None)
    is_number = pa.types.is_integer if are_ids else _is_number
    kinds = (is_number, pa.types.is_decimal, _is_text)
    return any(kind(one) and kind(other) for kind in kinds)


def _is_number(found: pa.DataType) -> bool:
    return bool(pa.types.is_integer(found) or pa.types.is_floating(found))


def _plain(schema: pa.Schema, mixed: set[str], settled: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return a schema without views, which Arrow cannot filter, nor dictionaries next to others."""
    return pa.schema([field.with_type(_type(field, mixed, settled)) for field in schema])


def _type(field: pa.Field, mixed: set[str], settled: Mapping[str, pa.DataType]) -> pa.DataType:
    if field.name in settled:
        return settled[field.name]
    return _without_view(_common(field.type) if field.name in mixed else field.type)


def _values(found: pa.DataType) -> pa.DataType:
    return found.value_type if pa.types.is_dictionary(found) else found


def _common(found: pa.DataType) -> pa.DataType:
    """Return what columns of close types have in common, which Arrow widens further."""
    found = _values(found)
    if pa.types.is_timestamp(found) and found.tz is not None:
        return pa.timestamp(found.unit, "UTC")
    return found


def _without_view(found: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_string_view(found) else found


def _is_text(found: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(kind(found) for kind in kinds)
