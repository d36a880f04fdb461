"""JudgedLists: lists of items beside what was wanted, as every metric reads them."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.metrics.list_context import ListContext

# Cells of users × items that are laid out at a time.
_CELLS_AT_ONCE = 1_300_000


@dataclass(frozen=True, eq=False)
class JudgedLists:
    """Lists of items and their users' targets; what several metrics read is computed once.

    Attributes:
        recommended: Lists × length, item indices, the best first; -1 for no item.
        targets: Lists × items, what was wanted, with its weight. It may have further columns, of
            items that no list can hold.
        history: Lists × items, what the user had before; None where that is not known.
        context: What is known of the items.
    """

    recommended: NDArray[np.int64]
    targets: csr_matrix
    history: csr_matrix | None = None
    context: ListContext = field(default_factory=ListContext)

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """From 1 on, of each place."""
        return np.arange(1, self.recommended.shape[1] + 1)

    @cached_property
    def discounts(self) -> NDArray[np.float64]:
        """1 / log2(rank + 1) of each place."""
        return np.asarray(1 / np.log2(self.ranks + 1))

    @cached_property
    def wanted(self) -> csr_matrix:
        """The targets; a cell that is stored twice is one, of the sum of its weights."""
        if self.targets.has_canonical_format:
            return self.targets
        targets = csr_matrix(self.targets, copy=True)
        targets.sum_duplicates()
        return targets

    @cached_property
    def num_targets(self) -> NDArray[np.float64]:
        """Targets of each list."""
        return np.diff(self.wanted.indptr).astype(np.float64)

    @cached_property
    def has_targets(self) -> NDArray[np.bool_]:
        """Which lists have any."""
        return self.num_targets > 0

    @cached_property
    def cell(self) -> NDArray[np.int64]:
        """Place of the target that stands at each place of the lists, among all; -1 for none."""
        return _cells(self.recommended, self.wanted)

    @cached_property
    def hits(self) -> NDArray[np.float64]:
        """1 where a target stands, else 0."""
        return (self.cell >= 0).astype(np.float64)

    @cached_property
    def found(self) -> NDArray[np.float64]:
        """Hits up to each place."""
        return self.hits.cumsum(axis=1)

    @cached_property
    def dcg(self) -> NDArray[np.float64]:
        """Discounted hits up to each place."""
        # Summed in the order of the ideal, so that a perfect list gives 1 to the bit; a product of
        # matrices would round a row by what else is in its batch.
        return (self.hits * self.discounts).cumsum(axis=1)

    @cached_property
    def precision_at_hits(self) -> NDArray[np.float64]:
        """The precision at each hit, summed up to each place."""
        return (self.hits * self.found / self.ranks).cumsum(axis=1)

    def places(self, k: int) -> csr_matrix:
        """Return which items the first k of each list are.

        Args:
            k: Length of the lists.

        Returns:
            Lists × items of the catalogue, 1 where an item is.
        """
        return self._indicator(self.recommended[:, :k] >= 0)

    def hit_places(self, k: int) -> csr_matrix:
        """Return which of the first k of each list are targets.

        Args:
            k: Length of the lists.

        Returns:
            Lists × items of the catalogue, 1 where a hit is.
        """
        return self._indicator(self.cell[:, :k] >= 0)

    @property
    def past(self) -> csr_matrix:
        """Lists × items, 1 where the user had an item before.

        Raises:
            InputError: If that is not known.
        """
        if self.history is None:
            raise InputError("lists must come with their users' histories, but have none")
        cells = np.ones(self.history.nnz)
        return csr_matrix((cells, self.history.indices, self.history.indptr), self.history.shape)

    def mean_of(self, values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """Return the mean over the first k items of each list.

        Args:
            values: One per item of the catalogue.
            k: Length of the lists.

        Returns:
            One per list; NaN for a list without items.
        """
        best = self.recommended[:, :k]
        is_item = best >= 0
        total = np.where(is_item, np.append(values, 0.0)[best], 0.0).sum(axis=1)
        return ratio(total, is_item.sum(axis=1))

    def _indicator(self, chosen: NDArray[np.bool_]) -> csr_matrix:
        row, place = chosen.nonzero()
        item = self.recommended[row, place]
        num_items = self.targets.shape[1] if self.history is None else self.history.shape[1]
        shape = len(self.recommended), num_items
        return csr_matrix((np.ones(len(row)), (row, item)), shape=shape)


def ratio(total: NDArray[np.float64], count: NDArray[Any]) -> NDArray[np.float64]:
    """Return quotients, NaN where nothing was counted.

    Args:
        total: What is divided.
        count: By what; 0 for nothing.

    Returns:
        One value each.
    """
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def require_lists(recommended: NDArray[np.int64], targets: csr_matrix) -> None:
    """Check that there is one list per user, each item of which is there once and exists.

    Args:
        recommended: Lists × length, item indices; -1 for no item.
        targets: Lists × items.

    Raises:
        InputError: If not; an item that comes twice would be counted as two hits.
    """
    if len(recommended) != targets.shape[0]:
        raise InputError(
            f"there must be one list per user, but got {len(recommended)} for {targets.shape[0]}"
        )
    highest = int(recommended.max(initial=-1))
    if highest >= targets.shape[1]:
        raise InputError(
            f"lists must hold items from 0 to {targets.shape[1] - 1}, but one holds {highest}"
        )
    in_order = np.sort(recommended, axis=1)
    twice = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)
    if twice.any():
        row = int(twice.any(axis=1).argmax())
        item = int(in_order[row, 1:][twice[row]][0])
        first, second = (np.flatnonzero(recommended[row] == item)[:2] + 1).tolist()
        raise InputError(
            f"an item must be in a list once, but list {row} has item {item} at ranks {first} and "
            f"{second}; leave one out, since both would count as hits"
        )


def _cells(recommended: NDArray[np.int64], wanted: csr_matrix) -> NDArray[np.int64]:
    """Return the place of each recommended item among the stored cells of its row, or -1."""
    num_lists, num_items = wanted.shape
    found = np.full(recommended.shape, -1, dtype=np.int64)
    rows = min(max(1, _CELLS_AT_ONCE // max(num_items, 1)), max(num_lists, 1))
    # One column more, which no target has, is that of the empty places, -1.
    width = num_items + 1
    at = np.full(rows * width, -1, dtype=np.int32 if wanted.nnz < 2**31 else np.int64)
    starts = np.arange(rows) * width
    for first in range(0, num_lists, rows):
        ends = wanted.indptr[first : first + rows + 1]
        stored = slice(ends[0], ends[-1])
        offset = starts[: len(ends) - 1]
        flat = np.repeat(offset, np.diff(ends)) + wanted.indices[stored]
        at[flat] = np.arange(ends[0], ends[-1])
        found[first : first + rows] = at[
            offset[:, None] + recommended[first : first + rows] % width
        ]
        at[flat] = -1
    return found
