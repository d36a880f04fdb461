"""Arrays in a safetensors file, written and read a few rows at a time."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsparse.errors import InputError
from recsparse.scoring.checked_file import CheckedFile

_TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in {
        "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
        "F64": "<f8", "F32": "<f4", "F16": "<f2",
    }.items()
}  # fmt: skip
_NAMES = {kind: name for name, kind in _TYPES.items()}
# The length of the header, in bytes, which comes before it.
_LENGTH = 8
_LARGEST_HEADER = 2**20


class _NoHeaderError(Exception):
    """A header that cannot be one."""


# What a header of anyone's may bring about.
_NO_HEADER = (
    _NoHeaderError, KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError,
    json.JSONDecodeError,
)  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """An array that is made while it is written.

    Attributes:
        kind: The type of its numbers.
        shape: Its sizes.
        parts: Its rows, some at a time.
    """

    kind: Any
    shape: tuple[int, ...]
    parts: Iterable[NDArray[Any]]


def write_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any] | Stream], about: Mapping[str, str]
) -> None:
    """Write a safetensors file.

    Args:
        path: The file.
        arrays: Of numbers, by name.
        about: Texts by name.

    Raises:
        OSError: If the disk is full.
    """
    streams = {
        name: value if isinstance(value, Stream) else Stream(value.dtype, value.shape, [value])
        for name, value in arrays.items()
    }
    # Numbers of 8 bytes first, so that each array begins at a multiple of its numbers' size.
    order = sorted(streams, key=lambda name: (-np.dtype(streams[name].kind).itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(about)} if about else {}
    end = 0
    for name in order:
        each, begin = streams[name], end
        end += math.prod(each.shape) * np.dtype(each.kind).itemsize
        header[name] = {
            "dtype": _NAMES[np.dtype(each.kind)],
            "shape": [*each.shape],
            "data_offsets": [begin, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_LENGTH, "little") + text)
        for name in order:
            for part in streams[name].parts:
                file.write(np.ascontiguousarray(part, dtype=streams[name].kind).data)


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, of which rows are read.

    Attributes:
        file: The file.
        kind: The type of its numbers.
        shape: Its sizes.
        begin: Where in the file it begins.
    """

    file: CheckedFile
    kind: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int

    def rows(self, start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[Any]:
        """Read ranges of rows.

        Args:
            start: The first row of each range.
            stop: The row behind its last one.

        Returns:
            The rows of all ranges, one after the other.

        Raises:
            ModelFolderError: If the file is damaged there.
            IndexError: If a range is not within the array.
        """
        count = self.shape[0]
        if len(start) and not (start.min() >= 0 and stop.max() <= count and (start <= stop).all()):
            raise IndexError(f"rows must be from 0 to {count}")
        size = math.prod(self.shape[1:]) * self.kind.itemsize
        found = self.file.read(self.begin + start * size, self.begin + stop * size)
        return found.view(self.kind).reshape(-1, *self.shape[1:])

    def whole(self) -> NDArray[Any]:
        """Read all of it.

        Returns:
            The array.

        Raises:
            ModelFolderError: If the file is damaged.
        """
        if not self.shape:
            return self._with_axis().whole().reshape(())
        return self.rows(np.array([0]), np.array([self.shape[0]]))

    def _with_axis(self) -> "StoredArray":
        return StoredArray(self.file, self.kind, (1,), self.begin)


def read_arrays(file: CheckedFile) -> tuple[dict[str, StoredArray], dict[str, str]]:
    """Read what a safetensors file holds, and none of it yet.

    Args:
        file: The file.

    Returns:
        Its arrays by name, and texts by name.

    Raises:
        ModelFolderError: If the file is damaged.
        InputError: If it is no file of arrays of our types.
    """
    try:
        return _read_header(file)
    except _NO_HEADER as error:
        raise InputError(
            f"{file.path.name} must be a safetensors file of arrays of {', '.join(_TYPES)}, but "
            f"its header is none: {error}"
        ) from error


def _read_header(file: CheckedFile) -> tuple[dict[str, StoredArray], dict[str, str]]:
    length = int.from_bytes(_bytes(file, 0, min(_LENGTH, file.size)), "little")
    begin = _LENGTH + length
    if length > _LARGEST_HEADER or begin > file.size:
        raise _NoHeaderError(f"it would have {length} bytes")
    header = json.loads(_bytes(file, _LENGTH, begin))
    about = header.pop("__metadata__", {})
    if not all(isinstance(text, str) for text in about.values()):
        raise _NoHeaderError("its metadata are no texts")
    found = {name: _array(file, begin, each) for name, each in header.items()}
    return found, dict(about)


def _array(file: CheckedFile, begin: int, described: Any) -> StoredArray:
    kind: np.dtype[Any] = _TYPES[described["dtype"]]
    shape, offsets = tuple(described["shape"]), tuple(described["data_offsets"])
    numbers = (*shape, *offsets)
    if len(offsets) != 2 or not all(type(number) is int and number >= 0 for number in numbers):
        raise _NoHeaderError(f"sizes must be whole numbers, but are {numbers}")
    first, last = offsets
    if last - first != math.prod(shape) * kind.itemsize or begin + last > file.size:
        raise _NoHeaderError(f"an array of {shape} cannot lie from byte {first} to {last}")
    return StoredArray(file, kind, shape, begin + first)


def _bytes(file: CheckedFile, start: int, stop: int) -> bytes:
    return file.read(np.array([start]), np.array([stop])).tobytes()
