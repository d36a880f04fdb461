"""Profile: what rows hold, counted while they stream by."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from recsparse.config.units import SECONDS_A_DAY
from recsparse.datasets.indexed_rows import ITEM_INDEX, NO_RATING, NO_TIME, USER_INDEX, Rows
from recsparse.datasets.schema import RATING, TIMESTAMP, WEIGHT

# Rows in memory at once.
_BLOCK_ROWS = 1 << 20


@dataclass(eq=False)
class Profile:
    """Counts of rows; of the rows themselves nothing is kept.

    Attributes:
        rows_of_user: Rows of each user.
        rows_of_item: Rows of each item.
        rows_of_day: Rows by day since 1970, UTC; rows without a time are on none.
        rows_of_rating: Rows by rating, to three digits, so that there are not too many.
        rating_sum: Sum of the known ratings.
        first_second: The first time, seconds since 1970, UTC; None without any.
        last_second: The last time.
    """

    rows_of_user: np.ndarray
    rows_of_item: np.ndarray
    rows_of_day: Counter[int] = field(default_factory=Counter)
    rows_of_rating: Counter[float] = field(default_factory=Counter)
    rating_sum: float = 0.0
    first_second: int | None = None
    last_second: int | None = None

    @classmethod
    def of_size(cls, num_users: int, num_items: int) -> "Profile":
        """Return the profile of no rows.

        Args:
            num_users: One more than the highest user index.
            num_items: One more than the highest item index.

        Returns:
            A profile to add rows to.
        """
        return cls(np.zeros(num_users, dtype=np.int64), np.zeros(num_items, dtype=np.int64))

    def add(self, rows: Rows) -> None:
        """Count a block of rows.

        Args:
            rows: In any order.
        """
        for total, index in ((self.rows_of_user, rows.user), (self.rows_of_item, rows.item)):
            total += np.bincount(index, minlength=len(total))
        self._add_times(rows.timestamp[rows.timestamp != NO_TIME])
        self._add_ratings(rows.rating[np.isfinite(rows.rating)])

    def _add_times(self, seconds: np.ndarray) -> None:
        if len(seconds) == 0:
            return
        _count(self.rows_of_day, seconds // SECONDS_A_DAY)
        low, high = int(seconds.min()), int(seconds.max())
        self.first_second = low if self.first_second is None else min(self.first_second, low)
        self.last_second = high if self.last_second is None else max(self.last_second, high)

    def _add_ratings(self, ratings: np.ndarray) -> None:
        self.rating_sum += float(ratings.sum(dtype=np.float64))
        distinct, counts = np.unique(_to_three_digits(ratings), return_counts=True)
        for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            self.rows_of_rating[float(f"{value:.3g}")] += count

    @property
    def num_rows(self) -> int:
        """Rows in all."""
        return int(self.rows_of_user.sum())


def _count(counter: Counter[int], values: np.ndarray) -> None:
    distinct, counts = np.unique(values, return_counts=True)
    counter.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))


def _to_three_digits(values: np.ndarray) -> np.ndarray:
    exact = values.astype(np.float64)
    digits = np.log10(np.abs(exact), out=np.zeros_like(exact), where=exact != 0)
    unit = 10.0 ** (np.floor(digits) - 2)
    rounded: np.ndarray = np.round(exact / unit) * unit
    return rounded


def indexed_blocks(table: pa.Table) -> Iterator[Rows]:
    """Yield the rows of a dataset's part, block by block.

    Args:
        table: Rows as a dataset stores them, mapped into memory.

    Yields:
        The same rows; the rest stays on disk.
    """
    for batch in table.to_batches(max_chunksize=_BLOCK_ROWS):
        yield Rows(
            batch.column(USER_INDEX).to_numpy(),
            batch.column(ITEM_INDEX).to_numpy(),
            batch.column(WEIGHT).to_numpy(),
            batch.column(TIMESTAMP).fill_null(NO_TIME).to_numpy(),
            batch.column(RATING).fill_null(NO_RATING).to_numpy(),
        )
