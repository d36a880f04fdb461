"""Sorting more rows than memory holds: users go to buckets on disk, each of which is sorted alone.

The number of rows of each user is known beforehand, so the buckets are of equal size, however
uneven the users are.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from itertools import pairwise
from pathlib import Path

import numpy as np

from recsparse.datasets.building.prefetch import prefetched
from recsparse.datasets.indexed_rows import NO_TIME, Rows
from recsparse.datasets.packed_order import packed_order

# Rows of a block. Larger ones sort faster, and each of a few arrays takes 8 MB.
BLOCK_ROWS = 1_048_576
# More would be read in pieces that are too small; above this many, buckets grow instead.
_MOST_BUCKETS = 512


def sorted_rows(rows: Iterable[Rows], rows_of_user: np.ndarray, folder: Path) -> Iterator[Rows]:
    """Yield rows by user, then time, item, rating and weight, whole users at a time.

    Rows without a time come first. Rows that agree in all of these are alike, so the result does
    not depend on the order of the log. The blocks depend on the rows alone.

    Args:
        rows: Blocks in any order, at least one, all with the same columns.
        rows_of_user: Number of rows of each user.
        folder: Where to spill; what is written there is removed.

    Yields:
        Blocks of whole users.
    """
    bucket_of_user = _buckets(rows_of_user)
    path = folder / "unsorted"
    with path.open("w+b", buffering=0) as file:
        spilled = _Spilled(file)
        for block in prefetched(rows):
            spilled.add(block, bucket_of_user[block.user])
        yield from prefetched(_sorted(block) for block in spilled.buckets())
    path.unlink()


def _buckets(rows_of_user: np.ndarray) -> np.ndarray:
    """Return the bucket of each user: each ends with the user that makes it full."""
    ends = np.cumsum(rows_of_user)
    total = int(rows_of_user.sum())
    bucket_rows = max(BLOCK_ROWS, -(-total // _MOST_BUCKETS))
    cuts = [0]
    before = 0
    while before < total:
        cut = min(int(np.searchsorted(ends, before + bucket_rows)), len(ends) - 1) + 1
        before = int(ends[cut - 1])
        cuts.append(cut)
    sizes = np.diff([*cuts[:-1], len(ends)])
    return np.repeat(np.arange(len(sizes), dtype=np.uint16), sizes)


class _Spilled:
    """Rows on disk: each block lies there column by column, its rows by bucket.

    Args:
        file: Empty.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._dtypes: dict[str, np.dtype] = {}
        self._blocks: list[tuple[int, np.ndarray]] = []  # where it begins, where its buckets begin

    def add(self, block: Rows, bucket: np.ndarray) -> None:
        if len(block) == 0:
            return
        order = np.argsort(bucket, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(bucket))])
        self._blocks.append((self._file.tell(), starts))
        for name, column in block.columns.items():
            self._dtypes[name] = column.dtype
            _write(self._file, column[order])

    def buckets(self) -> Iterator[Rows]:
        for number in range(max((len(starts) for _, starts in self._blocks), default=1) - 1):
            yield self._read(number)

    def _read(self, bucket: int) -> Rows:
        there = [
            (start, int(rows[-1]), int(rows[bucket]), int(rows[bucket + 1]))
            for start, rows in self._blocks
            if len(rows) > bucket + 1
        ]
        places = np.cumsum([0, *(last - first for _, _, first, last in there)])
        columns = {name: np.empty(places[-1], dtype) for name, dtype in self._dtypes.items()}
        for (start, rows, first, _), (begin, end) in zip(there, pairwise(places), strict=True):
            for column in columns.values():
                self._file.seek(start + first * column.itemsize)
                _read_into(self._file, column[begin:end])
                start += rows * column.itemsize
        return Rows(**columns)


def _write(file: FileIO, array: np.ndarray) -> None:
    rest = array.view(np.uint8).data
    while rest:
        rest = rest[file.write(rest) :]


def _read_into(file: FileIO, array: np.ndarray) -> None:
    rest = array.view(np.uint8).data
    while rest:
        rest = rest[file.readinto(rest) :]


def _sorted(rows: Rows) -> Rows:
    time = rows.timestamp
    unknown = time == NO_TIME
    if unknown.any() and not unknown.all():
        # As close to the others as can be, so that all fit into few bits.
        time = np.where(unknown, time[~unknown].min() - 1, time)
    rows = rows.take(packed_order([rows.user, time]))
    _break_ties(rows, ["user", "timestamp"], ["item"])
    rest = [name for name in ("rating", "weight", "part", "text") if name in rows.columns]
    _break_ties(rows, ["user", "timestamp", "item"], rest)
    return rows


def _break_ties(rows: Rows, alike: Sequence[str], by: Sequence[str]) -> None:
    """Sort those rows that are next to each other and alike, in place."""
    same = np.ones(max(len(rows) - 1, 0), dtype=bool)
    for name in alike:
        column = rows.columns[name]
        same &= column[1:] == column[:-1]
    if not same.any():
        return
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    run = np.cumsum(~np.append(False, same))[tied]
    chosen = tied[packed_order([run, *(rows.columns[name][tied] for name in by)])]
    for column in rows.columns.values():
        column[tied] = column[chosen]
