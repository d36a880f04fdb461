"""Arrays in files that vanish with them, for what need not stay in memory."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from recsparse.errors import OutputError

_PREFIX = "recsparse-scratch-"


def scratch_array(shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """Return zeros that lie in a file of the folder for temporary files.

    The system takes memory for those pages alone that are looked at, and may take it back. The room
    is taken on the disk at once, since a disk that is full later would end the process.

    Args:
        shape: As that of `np.zeros`.
        kind: The type of the numbers.

    Returns:
        The array; its file is gone when nothing refers to it any more.

    Raises:
        OutputError: If the disk has too little room.
    """
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if not size:
        return np.zeros(shape, dtype=kind)
    with tempfile.TemporaryFile(prefix=_PREFIX) as file:
        with _told():
            _reserve(file, size)
        return np.memmap(file, dtype=kind, mode="r+", shape=shape)


class ScratchColumn:
    """Numbers that come in turn and are read together.

    Args:
        kind: Their type.
    """

    def __init__(self, kind: DTypeLike) -> None:
        self._kind = np.dtype(kind)
        self._file: BinaryIO = tempfile.TemporaryFile(prefix=_PREFIX)  # noqa: SIM115
        self._rows = 0

    def __enter__(self) -> "ScratchColumn":
        """Return the column; its file is closed at the end, and arrays of it stay."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Close the file."""
        self._file.close()

    def append(self, values: NDArray[Any]) -> None:
        """Add numbers behind those that are there.

        Args:
            values: One-dimensional.

        Raises:
            OutputError: If the disk has too little room.
        """
        with _told():
            self._file.write(values.astype(self._kind).tobytes())
        self._rows += len(values)

    def array(self) -> NDArray[Any]:
        """Return all numbers, in a file.

        Returns:
            The numbers in the order in which they came.

        Raises:
            OutputError: If the disk has too little room.
        """
        with _told():
            self._file.flush()
            if not self._rows:
                return np.zeros(0, dtype=self._kind)
            return np.memmap(self._file, dtype=self._kind, mode="r+", shape=(self._rows,))


def _reserve(file: BinaryIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # not on macOS and Windows
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"temporary files must fit into {tempfile.gettempdir()}, but "
            f"{error.strerror or error}; make room there, or name another folder by the "
            "environment variable TMPDIR"
        ) from error
