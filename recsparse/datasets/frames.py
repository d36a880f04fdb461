"""Frames of pandas, Polars or Arrow where files are taken as well.

Whatever hands over Arrow memory is a frame; of the library that it is of, nothing is imported.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, TypeGuard

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.datasets.id_types import ArrowStream
from recsparse.datasets.reading.find_files import Paths
from recsparse.errors import InputError, InputTypeError, OutputError
from recsparse.files.atomic import make_folder
from recsparse.files.stand_ins import standing_in

# What is read from one place, and from several.
Table: TypeAlias = str | Path | ArrowStream
Tables: TypeAlias = Paths | ArrowStream | Sequence[Table]


def is_frame(value: object) -> TypeGuard[ArrowStream]:
    """Say whether a value is a frame, and no path or list.

    Args:
        value: Any value.

    Returns:
        True for frames of pandas and Polars, and for tables of Arrow.
    """
    return isinstance(value, ArrowStream)


def name_of_frame(argument: str) -> str:
    """Return what messages call a frame.

    Args:
        argument: The name by which the caller gave it.

    Returns:
        A name, as `the frame given as items`.
    """
    return f"the frame given as {argument}"


def to_arrow(frame: ArrowStream, name: str = "the frame") -> pa.Table:
    """Return a frame as an Arrow table.

    Args:
        frame: A frame; the index of pandas is left out.
        name: What to call it in an error.

    Returns:
        The rows in their order.

    Raises:
        InputError: If it is no table, or a column holds what no column of Arrow can.
    """
    try:
        if isinstance(frame, pd.DataFrame):
            return pa.Table.from_pandas(frame, preserve_index=False)
        if _library(frame) == "polars":
            # Over the memory alone, categories come in a type that Parquet cannot hold.
            return frame.to_arrow()  # type: ignore[attr-defined]
        return frame if isinstance(frame, pa.Table) else pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        cause = " ".join(", ".join(map(str, error.args)).split())
        raise InputError(
            f"{name} must be a table whose columns each hold values of one type, but {cause}; cast "
            "or drop what is not"
        ) from error


def with_column(frame: ArrowStream, name: str, values: pa.Array) -> Any:
    """Return a frame with one more column, of the library that the frame is of.

    Args:
        frame: A frame.
        name: Of the column.
        values: One per row.

    Returns:
        A new frame; pandas keeps its index. A table of Arrow where the library is neither pandas
        nor Polars.
    """
    if isinstance(frame, pd.DataFrame):
        return frame.assign(**{name: values.to_numpy(zero_copy_only=False)})
    return like(to_arrow(frame).append_column(name, values), frame)


def like(table: pa.Table, frame: object) -> Any:
    """Return a table as a frame of the library that another one is of.

    Args:
        table: The rows.
        frame: A frame or a column of pandas, Polars or Arrow.

    Returns:
        A frame of Polars or a table of Arrow where `frame` is of one, else a frame of pandas.
    """
    library = _library(frame)
    if library == "polars":
        return sys.modules["polars"].from_arrow(table)
    return table if library == "pyarrow" else table.to_pandas()


@contextmanager
def as_files(folder: Path | None = None, **tables: Any) -> Iterator[list[Any]]:
    """Write the frames among some tables to Parquet files, which are gone afterwards.

    Args:
        folder: Where to; None for the system's folder of temporary files.
        **tables: Paths, frames, lists of both, and None, by the names that messages call them by.

    Yields:
        The tables in their order: the path of its file in the place of each frame.

    Raises:
        InputTypeError: If a value is none of these.
        InputError: If Parquet cannot hold a column of a frame.
        OutputError: If there is no room for the files.
    """
    frames = dict(_frames(tables))
    if not frames:
        yield [*tables.values()]
        return
    if folder is not None:
        make_folder(folder)
    with TemporaryDirectory(prefix="recsparse-", dir=folder) as made:
        place = Path(made).resolve()
        files = {key: place / f"{number}.parquet" for number, key in enumerate(frames)}
        for key, frame in frames.items():
            _write(frame, files[key], name_of_frame(key))
        with standing_in({path: name_of_frame(key) for key, path in files.items()}):
            yield [_in_files(key, value, files) for key, value in tables.items()]


def paths_among(tables: Any) -> list[str | Path]:
    """Return what is no frame among some tables.

    Args:
        tables: A path, a frame, or a list of both; None and a frame have no path.

    Returns:
        The paths, in their order.
    """
    if tables is None or is_frame(tables):
        return []
    given = [tables] if isinstance(tables, (str, Path)) else tables
    return [each for each in given if not is_frame(each)]


def _frames(tables: Mapping[str, Any]) -> Iterator[tuple[str, ArrowStream]]:
    for key, value in tables.items():
        if value is None or isinstance(value, (str, os.PathLike)):
            continue
        if is_frame(value):
            yield key, value
        elif isinstance(value, Sequence):
            yield from _frames({f"{key}[{place}]": each for place, each in enumerate(value)})
        else:
            raise InputTypeError(
                f"{key} must be a path, a frame of pandas, Polars or Arrow, or a list of these, "
                f"but is a {type(value).__name__}; collect it, or name a file"
            )


def _in_files(key: str, value: Any, files: Mapping[str, Path]) -> Any:
    if key in files:
        return files[key]
    if value is None or isinstance(value, (str, os.PathLike)):
        return value
    return [_in_files(f"{key}[{place}]", each, files) for place, each in enumerate(value)]


def _write(frame: ArrowStream, path: Path, name: str) -> None:
    table = _readable(to_arrow(frame, name).replace_schema_metadata(None))
    try:
        pq.write_table(table, path)
    except pa.ArrowException as error:
        raise InputError(
            f"{name} must have columns that Parquet can hold, but {error}; cast or drop them"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{path.parent} must have room for a copy of {name}, but {error}; free some space, or "
            "name another folder by TMPDIR"
        ) from error


def _readable(table: pa.Table) -> pa.Table:
    # PyArrow before 26 writes nulls among lists of a fixed size to Parquet, but cannot read them.
    fields = [
        field.with_type(pa.list_(field.type.value_type))
        if pa.types.is_fixed_size_list(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]
