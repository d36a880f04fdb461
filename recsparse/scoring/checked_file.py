"""A file that is read in parts, each of its blocks against a checksum when it is first read."""

import hashlib
import os
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_in
from safetensors.numpy import save as array_bytes

from recsparse.errors import InputError, ModelFolderError, reason

# Small, since users who are wanted may lie anywhere: a user of 30 rows costs a block or two.
BLOCK_BYTES = 16_384
_DIGEST_BYTES = 32
_LARGEST_BLOCK = 2**26


def block_sums(path: Path) -> bytes:
    """Return the checksums of the blocks of a file, and that of all of it.

    Args:
        path: The file.

    Returns:
        The content of the file next to it that `CheckedFile` reads.
    """
    whole, sums = hashlib.sha256(), []
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            whole.update(block)
            sums.append(hashlib.sha256(block).digest())
    sums.append(whole.digest())
    table = np.frombuffer(b"".join(sums), dtype=np.uint8).reshape(len(sums), _DIGEST_BYTES)
    sizes = np.array([path.stat().st_size, BLOCK_BYTES], dtype=np.int64)
    return array_bytes({"sha256": table, "bytes": sizes})


class CheckedFile:
    """A file, opened once: where another takes its place meanwhile, this one is read to the end.

    It is read and not mapped, since a mapped file that is cut short ends the process.

    Args:
        path: The file.
        sums: What `block_sums` returned of it.

    Attributes:
        path: The file.
        size: Its bytes.
        sha256: Of the whole file.

    Raises:
        ModelFolderError: If the file is missing or of another size.
        InputError: If the checksums are none of a file.
    """

    def __init__(self, path: Path, sums: bytes) -> None:
        self.path = path
        self.size, self._block, table = _sums_in(sums)
        self._sums, self.sha256 = table[:-1], table[-1].tobytes().hex()
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ModelFolderError(
                f"the model folder must hold {path.name}, but {path} is missing or cannot be "
                f"opened: {reason(error)}"
            ) from error
        weakref.finalize(self, os.close, self._file)
        found = os.fstat(self._file).st_size
        if found != self.size:
            raise self._damaged(f"it has {found:,} bytes in the place of {self.size:,}")
        self._is_checked = np.zeros(len(self._sums), dtype=bool)

    def read(self, start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read ranges of bytes, the blocks around them first where they were not read before.

        Args:
            start: Where each range begins, from 0 to the size of the file.
            stop: Where it ends, no less.

        Returns:
            The bytes of all ranges, one after the other.

        Raises:
            ModelFolderError: If a block is not as it was written.
        """
        filled = stop > start
        start, stop = start[filled], stop[filled]
        found = np.empty(int((stop - start).sum()), dtype=np.uint8)
        if not len(start):
            return found
        self._check(start // self._block, (stop - 1) // self._block)
        # Ranges that follow each other are read as one.
        begins = np.flatnonzero(np.concatenate([[True], start[1:] != stop[:-1]]))
        ends = np.concatenate([begins[1:] - 1, [len(start) - 1]])
        place, memory = 0, memoryview(found.data)
        for first, last in zip(start[begins].tolist(), stop[ends].tolist(), strict=True):
            self._read_into(memory[place : place + last - first], first)
            place += last - first
        return found

    def check(self) -> None:
        """Read all blocks that were not read yet.

        Raises:
            ModelFolderError: If one is not as it was written.
        """
        if self.size:
            self._check(np.array([0]), np.array([len(self._sums) - 1]))

    def _check(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> None:
        steps = np.bincount(first, minlength=len(self._sums) + 1)
        steps -= np.bincount(last + 1, minlength=len(self._sums) + 1)
        wanted = (steps.cumsum()[:-1] > 0) & ~self._is_checked
        block = memoryview(bytearray(self._block))
        for number in np.flatnonzero(wanted).tolist():
            begin = number * self._block
            content = block[: min(self._block, self.size - begin)]
            self._read_into(content, begin)
            if hashlib.sha256(content).digest() != self._sums[number].tobytes():
                raise self._damaged(f"the bytes from {begin:,} on are others")
            self._is_checked[number] = True

    def _read_into(self, memory: memoryview, offset: int) -> None:
        while len(memory):
            try:
                count = os.preadv(self._file, [memory], offset)
            except OSError as error:
                raise self._damaged(reason(error)) from error
            if not count:
                raise self._damaged(f"it ends at {offset:,} of {self.size:,} bytes")
            memory, offset = memory[count:], offset + count

    def _damaged(self, what: str) -> ModelFolderError:
        return ModelFolderError(
            f"{self.path} must be as it was written, but it is damaged: {what}; copy the folder "
            "again, or train again"
        )


def _sums_in(content: bytes) -> tuple[int, int, NDArray[np.uint8]]:
    try:
        arrays = arrays_in(content)
        sums, (size, block) = arrays["sha256"], arrays["bytes"].tolist()
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"the checksums of blocks must be readable, but {error}") from error
    if not (size >= 0 and 0 < block <= _LARGEST_BLOCK) or (
        sums.dtype != np.uint8 or sums.shape != (-(-size // block) + 1, _DIGEST_BYTES)
    ):
        raise InputError(
            "there must be a checksum of each block and one of all, but there are "
            f"{sums.shape} of {sums.dtype} for {size} bytes in blocks of {block}"
        )
    return size, block, sums
