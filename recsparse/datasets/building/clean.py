"""Dropping duplicates of sorted rows and taking the k-core."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from recsparse.datasets.duplicates import without_duplicates, without_later_parts
from recsparse.datasets.indexed_rows import NO_TIME, Rows, RowsWriter, read_blocks
from recsparse.datasets.parts import TEST


@dataclass(frozen=True, eq=False)
class CleanRows:
    """Rows without duplicates, on disk, and which ids are left.

    Attributes:
        path: The file of all rows without duplicates, whole users in each block.
        duplicates: Rows that repeat a user and item.
        outside_core: Rows of users or items with too few rows.
        rows_of_user: Rows of each user within the core, and in a test outside of it.
        rows_of_item: Rows of each item, likewise.
        without_time: Rows of the core without a time.
        core: Which users and items are in the core; None where a test is not outside of it.
    """

    path: Path
    duplicates: int
    outside_core: int
    rows_of_user: np.ndarray
    rows_of_item: np.ndarray
    without_time: int
    core: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def num_rows(self) -> int:
        """Rows of the core, and of a test outside of it."""
        return int(self.rows_of_user.sum())

    def blocks(self) -> Iterator[Rows]:
        """Yield the rows of the core, whole users at a time.

        Yields:
            Blocks, none of them empty.
        """
        for rows in read_blocks(self.path):
            inside = self._inside(rows)
            kept = rows if inside.all() else rows.take(inside)
            if len(kept):
                yield kept

    def _inside(self, rows: Rows) -> np.ndarray:
        if self.core is None:
            return (self.rows_of_user[rows.user] > 0) & (self.rows_of_item[rows.item] > 0)
        users, items = self.core
        return (users[rows.user] & items[rows.item]) | (rows.part == TEST)


def k_core(
    path: Path, sizes: tuple[int, int], least: tuple[int, int], with_test: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Count the rows of each user and item after leaving out those with too few, repeatedly.

    A user who falls short takes its rows from items, which may fall short then, and so on until
    nothing changes (Batagelj and Zaversnik 2003, https://arxiv.org/abs/cs/0310049, of graphs).

    Args:
        path: A file of rows.
        sizes: Number of users and of items.
        least: Rows that a user and an item must have.
        with_test: Whether rows that the log gives for the test count.

    Returns:
        Rows of each user and of each item, 0 for those left out.
    """
    alive = [np.ones(size, dtype=bool) for size in sizes]
    while True:
        counts = [np.zeros(size, dtype=np.int64) for size in sizes]
        for rows in read_blocks(path):
            inside = alive[0][rows.user] & alive[1][rows.item]
            if not with_test:
                inside &= rows.part != TEST
            if not inside.any():
                continue
            for total, ids in zip(counts, (rows.user[inside], rows.item[inside]), strict=True):
                # Of users, a block has a few that are next to each other.
                low, high = int(ids.min()), int(ids.max()) + 1
                total[low:high] += np.bincount(ids - low)
        short = [
            each & (count < low) for each, count, low in zip(alive, counts, least, strict=True)
        ]
        alive = [each & ~few for each, few in zip(alive, short, strict=True)]
        # Ids without a row are short as well, and change nothing.
        if not any((count[few] > 0).any() for count, few in zip(counts, short, strict=True)):
            return counts[0], counts[1]


def clean_rows(
    blocks: Iterable[Rows],
    path: Path,
    sizes: tuple[int, int],
    keep: Literal["last", "sum", "keep"],
    half_life_days: float | None,
    least: tuple[int, int],
    is_blind_to_test: bool = False,
) -> CleanRows:
    """Write sorted rows without duplicates and find their k-core.

    Args:
        blocks: Sorted rows, at least one, whole users in each block.
        path: Where to write.
        sizes: Number of users and of items.
        keep: What to do with duplicates.
        half_life_days: Of weights, where duplicates are summed.
        least: Rows that a user and an item must have.
        is_blind_to_test: Whether test rows, which the log gives, change nothing of the others: they
            count for no core and stay outside of it. Of rows of a user and item in several parts,
            those of the first part stay.

    Returns:
        The rows.
    """
    duplicates, total, without_time = 0, 0, 0
    blocks = iter(blocks)
    first = next(blocks)
    with RowsWriter(path, first.to_batch().schema) as writer:
        for block in chain([first], blocks):
            rows, repeated = without_duplicates(block, keep, half_life_days)
            if is_blind_to_test:
                rows, known = without_later_parts(rows)
                repeated += known
            duplicates, total = duplicates + repeated, total + len(rows)
            without_time += _without_time(rows)
            writer.write(rows.to_batch())
    counts = k_core(path, sizes, least, with_test=not is_blind_to_test)
    core = None
    if is_blind_to_test:
        core, counts = (counts[0] > 0, counts[1] > 0), _with_test(path, counts)
    outside = total - int(counts[0].sum())
    found = CleanRows(path, duplicates, outside, *counts, without_time, core)
    if outside and without_time:
        return replace(found, without_time=sum(map(_without_time, found.blocks())))
    return found


def _without_time(rows: Rows) -> int:
    return int((rows.timestamp == NO_TIME).sum())


def _with_test(path: Path, counts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    users, items = (each.copy() for each in counts)
    for rows in read_blocks(path):
        test = rows.part == TEST
        users += np.bincount(rows.user[test], minlength=len(users))
        items += np.bincount(rows.item[test], minlength=len(items))
    return users, items
