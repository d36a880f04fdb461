"""Opening Parquet files and folders, with errors that name the file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from recsparse.errors import InputError, MissingFileError, SchemaError, nearest

Paths = str | Path | Sequence[str | Path]


def parquet_dataset(paths: Paths) -> ds.Dataset:
    """Open one or several Parquet files or folders as one dataset; nothing is read yet.

    Args:
        paths: Files, folders, or hive-partitioned folders (`date=2026-01-01/…`), whose partition
            keys become columns.

    Returns:
        An Arrow dataset; its files are in the order given, those of a folder sorted by path.

    Raises:
        MissingFileError: If there is nothing at a path.
        InputError: If a folder has no Parquet file, or a file is no readable Parquet.
        SchemaError: If a column has different types in different files.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    children = [_open(path) for path in given]
    _check_types(file for child in children for file in child.files)
    return children[0] if len(children) == 1 else _joined(children)


def require_columns(source: ds.Dataset, where: object, columns: Iterable[str]) -> None:
    """Raise an error unless a dataset has some columns.

    Args:
        source: The dataset.
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


def read_table(path: str | Path) -> pa.Table:
    """Read one Parquet file that belongs to a folder of ours.

    Args:
        path: The file.

    Returns:
        Its rows.

    Raises:
        InputError: If it is missing or damaged.
    """
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} must be the Parquet file that was written there, but {error}; make the folder "
            "anew"
        ) from error


def _open(path: Path) -> ds.Dataset:
    if not path.exists():
        raise MissingFileError(f"{path} must be a Parquet file or folder, but there is none")
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.parquet") if _is_data(file, path))
    if not files:
        raise InputError(
            f"{path} must hold Parquet files (*.parquet), but it holds "
            f"{len(list(path.iterdir()))} others; name the folder that has them"
        )
    for file in files:
        _check_readable(file)
    base = str(path) if path.is_dir() else None
    return ds.dataset([str(file) for file in files], partitioning="hive", partition_base_dir=base)


def _is_data(file: Path, folder: Path) -> bool:
    """Leave out what other writers hide, such as `_temporary` and `.part.crc` files."""
    hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return file.is_file() and not hidden


def _check_readable(file: Path) -> None:
    try:
        pq.read_schema(file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{file} must be a complete Parquet file, but it cannot be read ({error}); copy or "
            "write it again"
        ) from error


def _check_types(files: Iterable[str]) -> None:
    seen: dict[str, tuple[pa.DataType, str]] = {}
    for file in files:
        for field in pq.read_schema(file):
            known, first = seen.setdefault(field.name, (field.type, file))
            if field.type != known and not _are_close(field.type, known):
                raise SchemaError(
                    f"the column {field.name!r} must have one type, but is {known} in {first} and "
                    f"{field.type} in {file}; cast one of them"
                )


def _are_close(one: pa.DataType, other: pa.DataType) -> bool:
    """Say whether Arrow casts between the types without loss of meaning; nulls fit all."""
    if pa.types.is_null(one) or pa.types.is_null(other):
        return True
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_timestamp, _is_text)
    return any(kind(one) and kind(other) for kind in kinds)


def _is_text(found: pa.DataType) -> bool:
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


def _joined(children: Sequence[ds.Dataset]) -> ds.Dataset:
    try:
        return ds.dataset(list(children), pa.unify_schemas([child.schema for child in children]))
    except pa.ArrowException as error:
        raise SchemaError(f"all logs must have the same columns, but {error}") from error
