"""The best columns of each row by a bound that few of them pass: much less work than a heap.

The columns of a row are dealt into groups. The k-th largest of the groups' largest scores is a
bound that at least k columns reach, so that no other column is among the k best; groups whose
largest score is below it are never looked at again. What reaches the bound is sorted by one key of
score and column, and so ties need no case of their own.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# Scores that are copied at a time, so that they stay in a processor's cache.
_CELLS_AT_ONCE = 1_300_000
_LARGEST_GROUP, _GROUPS_PER_PLACE = 16, 16
_LOW_BITS = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, eq=False)
class RowsToRank:
    """Scores, and what of them may not be taken.

    Attributes:
        scores: float32 or float64, one row per list.
        seen: Cells that may not be taken, one row per list; None for none.
        excluded: Columns that may not be taken.
        k: How many columns are wanted.
    """

    scores: NDArray[np.floating]
    seen: csr_matrix | None
    excluded: NDArray[np.int64]
    k: int

    def best(self, threads: int = 1) -> NDArray[np.int64]:
        """Return the columns of the k best scores of each row.

        Args:
            threads: Blocks of rows that are searched at a time.

        Returns:
            Rows × k, by falling score, and of equal scores by rising column; -1 where fewer scores
            than k are above −inf. NaN is no score.
        """
        num_rows, num_columns = self.scores.shape
        found = np.full((num_rows, self.k), -1, dtype=np.int64)
        rows = max(1, _CELLS_AT_ONCE // max(num_columns, 1))
        starts = range(0, num_rows if num_columns else 0, rows)
        search = partial(self._search, found, rows)
        # A worker takes every so-many-th block, with one buffer for all of them.
        workers = [starts[first::threads] for first in range(min(threads, len(starts)))]
        if len(workers) > 1:
            with ThreadPoolExecutor(len(workers)) as pool:
                list(pool.map(search, workers))
        else:
            for blocks in workers:
                search(blocks)
        return found

    def _search(self, found: NDArray[np.int64], rows: int, blocks: range) -> None:
        num_rows, num_columns = self.scores.shape
        num_groups, group = groups_of_columns(num_columns, self.k)
        # What the last groups lack is never taken.
        buffer = np.full((min(rows, num_rows), num_groups * group), -np.inf, self.scores.dtype)
        for first in blocks:
            block = buffer[: min(rows, num_rows - first)]
            block[:, :num_columns] = self.scores[first : first + len(block)]
            mask(block, self.seen, self.excluded, first)
            best = best_of_block(block, num_groups, self.k)
            found[first : first + len(block), : best.shape[1]] = best


def groups_of_columns(num_columns: int, k: int) -> tuple[int, int]:
    """Return into how many groups the columns are dealt, and how many each has.

    Args:
        num_columns: Columns of scores.
        k: How many are wanted.

    Returns:
        Number and size of the groups, which together have room for all columns.
    """
    size = max(1, min(_LARGEST_GROUP, num_columns // (_GROUPS_PER_PLACE * k)))
    return -(-num_columns // size), size


def mask(
    block: NDArray[np.floating], seen: csr_matrix | None, excluded: NDArray[np.int64], first: int
) -> None:
    """Write −∞ over what may not be taken.

    Args:
        block: Scores of some rows; contiguous.
        seen: Cells that may not be taken, of all rows; None for none.
        excluded: Columns that may not be taken.
        first: The row of all that is the first of the block.
    """
    if len(excluded):
        block[:, excluded] = -np.inf
    if seen is not None:
        ends = seen.indptr[first : first + len(block) + 1]
        row = np.repeat(np.arange(len(block)) * block.shape[1], np.diff(ends))
        block.reshape(-1)[row + seen.indices[ends[0] : ends[-1]]] = -np.inf


def best_of_block(block: NDArray[np.floating], num_groups: int, k: int) -> NDArray[np.int64]:
    """Return the best columns of each row; may write into the block.

    Args:
        block: Scores, with the columns that `groups_of_columns` has room for.
        num_groups: How many groups these are.
        k: How many columns are wanted.

    Returns:
        As `RowsToRank.best`; narrower than k where no row has more.
    """
    row, column = _reaching_the_bound(block, num_groups, k)
    scores = block[row, column]
    places = np.bincount(row, minlength=len(block))
    if scores.dtype == np.float32:
        return _sorted_by_key(scores, column, row, places, k)
    order = np.lexsort((column, -scores, row))
    before = np.repeat(places.cumsum() - places, places)
    place = np.arange(len(row)) - before
    best = np.full((len(block), k), -1, dtype=np.int64)
    chosen = place < k
    best[row[chosen], place[chosen]] = column[order][chosen]
    return best


def _reaching_the_bound(
    block: NDArray[np.floating], num_groups: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns that may be among the best, by row."""
    num_rows, width = block.shape
    group = width // num_groups
    largest = _largest(block, num_groups)
    if np.isnan(largest).any():
        block[np.isnan(block)] = -np.inf
        largest = _largest(block, num_groups)
    # Nothing below the least finite number is a score.
    bound = np.full(num_rows, np.finfo(block.dtype).min, dtype=block.dtype)
    if k <= num_groups:
        of_groups = np.partition(largest, num_groups - k, axis=1)[:, num_groups - k]
        bound = np.maximum(bound, of_groups)
    reaching = np.flatnonzero(largest >= bound[:, None])
    row = reaching // num_groups
    column = (reaching - row * num_groups)[:, None] + np.arange(group) * num_groups
    scores = block.reshape(-1)[(row * width)[:, None] + column]
    chosen = np.flatnonzero(scores >= bound[row][:, None])
    return row[chosen // group], column.reshape(-1)[chosen]


def _largest(block: NDArray[np.floating], num_groups: int) -> NDArray[np.floating]:
    largest: NDArray[np.floating] = block.reshape(len(block), -1, num_groups).max(axis=1)
    return largest


def _sorted_by_key(
    scores: NDArray[np.float32],
    column: NDArray[np.int64],
    row: NDArray[np.int64],
    places: NDArray[np.int64],
    k: int,
) -> NDArray[np.int64]:
    """Return the k best columns of each row, sorted by keys that fall with the score.

    The upper half of a key is the score's bits in falling order, the lower half the column.
    """
    bits = (scores + np.float32(0)).view(np.uint32)  # −0 is 0
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
    keys = np.full((len(places), int(places.max(initial=0))), ~np.uint64(0))
    place = np.arange(len(row)) - np.repeat(places.cumsum() - places, places)
    keys[row, place] = (falling.astype(np.uint64) << np.uint64(32)) | column.astype(np.uint64)
    if keys.shape[1] > 2 * k:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    # An empty place is all ones, which is -1.
    return (keys[:, :k] & _LOW_BITS).astype(np.uint32).view(np.int32).astype(np.int64)
