"""Numbering the distinct ids of a stream of batches, each id in the order in which it first comes.

A compiled hash table does it where there is one: numbering each batch apart and joining the
distinct ids of all afterwards, as DuckDB or Arrow can, takes several times as long. Elsewhere a
Python dictionary serves.
"""

import ctypes
import weakref
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsparse.environment import wanted_kernels
from recsparse.errors import InputError

_LIBRARY = Path(__file__).parent / "kernels" / "ids.so"
_MOST_IDS = 2**31 - 1
_MOST_BYTES = 2**31 - 1
_NO_MEMORY, _TOO_MANY = -1, -2
_WIDTH = 8  # bytes of an integer id


class IdTable(ABC):
    """Gives each distinct id a number."""

    @abstractmethod
    def add(self, ids: pa.Array) -> np.ndarray:
        """Number ids.

        Args:
            ids: Ids of the table's type, none of them null.

        Returns:
            int32, one number per id: the one that it got when it first came.

        Raises:
            InputError: If there are more than 2^31 − 1 ids.
        """

    @abstractmethod
    def ids(self) -> pa.Array:
        """Return all distinct ids.

        Returns:
            The ids by their numbers.

        Raises:
            InputError: If they take more bytes than an array of strings can hold.
        """


def id_table(kind: pa.DataType) -> IdTable:
    """Return an empty table.

    Args:
        kind: Type of the ids, int64 or string.

    Returns:
        A compiled one where the package was built with kernels and `RECSPARSE_KERNELS` is not
        `off`.
    """
    library = _library() if is_compiled() else None
    return _PlainTable(kind) if library is None else _CompiledTable(library, kind)


def is_compiled() -> bool:
    """Say whether tables are compiled ones.

    Returns:
        False where the package was built without a compiler, or they are switched off.
    """
    return wanted_kernels() != "off" and _library() is not None


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(_LIBRARY))
    except OSError:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    for name, result, arguments in (
        ("new", pointer, []),
        ("free", None, [pointer]),
        ("add", number, [pointer, pointer, number, pointer, number, number, pointer]),
        ("size", number, [pointer]),
        ("bytes", number, [pointer]),
        ("read", None, [pointer, pointer, pointer]),
    ):
        function = getattr(library, f"rs_ids_{name}")
        function.restype, function.argtypes = result, arguments
    return library


class _CompiledTable(IdTable):
    """A hash table in C++.

    Args:
        library: The compiled kernel.
        kind: Type of the ids.
    """

    def __init__(self, library: ctypes.CDLL, kind: pa.DataType) -> None:
        self._library, self._kind = library, kind
        self._handle = library.rs_ids_new()
        if not self._handle:
            raise MemoryError("no memory for a table of ids")
        weakref.finalize(self, library.rs_ids_free, self._handle)

    def add(self, ids: pa.Array) -> np.ndarray:
        numbers = np.empty(len(ids), dtype=np.int32)
        if len(ids) == 0:
            return numbers
        *_, offsets, data = ids.buffers()
        if pa.types.is_integer(self._kind):
            layout = None, 0, data.address + _WIDTH * ids.offset, _WIDTH
        else:
            # Strings that are all empty may come without any bytes.
            layout = offsets.address + 4 * ids.offset, 4, data.address if data else None, 0
        size = self._library.rs_ids_add(self._handle, *layout, len(ids), numbers.ctypes.data)
        if size == _NO_MEMORY:
            raise MemoryError("no memory for the distinct ids of the log")
        require_ids_fit(_MOST_IDS + 1 if size == _TOO_MANY else size)
        return numbers

    def ids(self) -> pa.Array:
        size = self._library.rs_ids_size(self._handle)
        num_bytes = self._library.rs_ids_bytes(self._handle)
        offsets, data = np.empty(size + 1, dtype=np.int64), np.empty(num_bytes, dtype=np.uint8)
        self._library.rs_ids_read(self._handle, offsets.ctypes.data, data.ctypes.data)
        if pa.types.is_integer(self._kind):
            return pa.array(data.view(np.int64))
        if num_bytes > _MOST_BYTES:
            raise _too_long(num_bytes)
        buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
        return pa.Array.from_buffers(self._kind, size, buffers)


class _PlainTable(IdTable):
    """A Python dictionary.

    Args:
        kind: Type of the ids.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._numbers: dict[int | str, int] = {}

    def add(self, ids: pa.Array) -> np.ndarray:
        encoded = ids.dictionary_encode()
        numbers = [
            self._numbers.setdefault(each, len(self._numbers))
            for each in encoded.dictionary.to_pylist()
        ]
        require_ids_fit(len(self._numbers))
        return np.array(numbers, dtype=np.int32)[encoded.indices.to_numpy()]

    def ids(self) -> pa.Array:
        if not pa.types.is_integer(self._kind):
            num_bytes = sum(len(str(each).encode()) for each in self._numbers)
            if num_bytes > _MOST_BYTES:
                raise _too_long(num_bytes)
        return pa.array(list(self._numbers), self._kind)


def require_ids_fit(number: int) -> None:
    """Refuse more ids than an index can name.

    Args:
        number: Number of distinct ids.

    Raises:
        InputError: If it is above 2^31 − 1.
    """
    if number > _MOST_IDS:
        raise InputError(
            f"users and items must be fewer than 2^31 each, but there are at least {number} of "
            "one; split the log"
        )


def _too_long(num_bytes: int) -> InputError:
    return InputError(
        "the distinct ids of an axis must take less than 2 GB as strings, but take "
        f"{num_bytes} bytes; use integer ids"
    )
