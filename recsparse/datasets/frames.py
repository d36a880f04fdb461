"""Frames of pandas, Polars or Arrow where files are taken as well.

Whatever hands over Arrow memory is a frame; of the library that it is of, nothing is imported.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeGuard

import pyarrow as pa
import pyarrow.parquet as pq

from recsparse.datasets.id_types import ArrowStream


def is_frame(value: object) -> TypeGuard[ArrowStream]:
    """Say whether a value is a frame, and no path or list.

    Args:
        value: Any value.

    Returns:
        True for frames of pandas and Polars, and for tables of Arrow.
    """
    return isinstance(value, ArrowStream)


def to_arrow(frame: ArrowStream) -> pa.Table:
    """Return a frame as an Arrow table.

    Args:
        frame: A frame; the index of pandas is left out.

    Returns:
        The rows in their order.
    """
    if _library(frame) == "pandas":
        return pa.Table.from_pandas(frame, preserve_index=False)
    return frame if isinstance(frame, pa.Table) else pa.table(frame)


def with_column(frame: ArrowStream, name: str, values: pa.Array) -> Any:
    """Return a frame with one more column, of the library that the frame is of.

    Args:
        frame: A frame.
        name: Of the column.
        values: One a row.

    Returns:
        A new frame; pandas keeps its index. A table of Arrow where the library is neither pandas
        nor Polars.
    """
    library = _library(frame)
    if library == "pandas":
        return frame.assign(**{name: values.to_numpy(zero_copy_only=False)})  # type: ignore[attr-defined]
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
def as_files(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Write the frames among some values to Parquet files, which are gone afterwards.

    Args:
        values: Frames, and what is no frame.

    Yields:
        The values in their order: the path of its file in the place of each frame.
    """
    with TemporaryDirectory(prefix="recsparse-") as folder:
        yield [
            _written(value, Path(folder) / f"frame-{number}.parquet") if is_frame(value) else value
            for number, value in enumerate(values)
        ]


def _written(frame: ArrowStream, path: Path) -> Path:
    pq.write_table(to_arrow(frame).replace_schema_metadata(None), path)
    return path


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]
