"""The order by recursive bisection: halves that share columns, down to single rows."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from recsparse.datasets.orders.cuts import cuts

# Twenty rounds of swaps took twice the time and made the locality of Gowalla 3 % higher, that of
# MovieLens-1M not a hundredth.
_ROUNDS = 10
# Of the pairs that gain, this share is swapped in a round: where all are, two groups that ought to
# part change places for ever. On Gowalla the locality was 0.75 by halves and 0.57 by all.
_SHARE_SWAPPED = 0.5
# Sets of this many entries are cut at once: more do not fit into a processor's cache.
_CHUNK = 1_000_000
# Gains are sums of logarithms: those that differ by rounding errors are a tie.
_DECIMALS = 9


def bisection_order(weights: csr_matrix, start: np.ndarray) -> np.ndarray:
    """Return the rows in the order of a recursive bisection of the rows by their common columns.

    Each set of rows is cut in two halves of equal size (the first has one more where it is odd),
    then rows are swapped between the halves to lower the logarithmic gaps between the rows of a
    column, `sum_columns −d0 log2(d0 + 1) − d1 log2(d1 + 1)` with d0 and d1 the rows of the column
    in either half (Dhulipala, Kabiljo, Karrer, Ottaviano, Pupyrev and Shalita 2016,
    https://arxiv.org/abs/1602.08820, section 3). In each round the rows of either half are sorted
    by what their move would gain and met in pairs, and of the pairs that gain, the better half is
    swapped. In every second round the k-th row of the first half meets not the k-th of the second
    but the next one: else two rows that share columns could change places for ever.

    The sets of a level are cut in time linear in the entries; there are log2(rows) levels, and no
    matrix of rows × rows.

    Args:
        weights: Only which entries are stored counts, not their values.
        start: Every row once: the order in which the first halves are taken, and in which rows of
            equal gain come. The result is the better, the more it says.

    Returns:
        Every row once; the same for the same arguments.

    Example:
        >>> two_groups = csr_matrix([[1.0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 1]])
        >>> bisection_order(two_groups, np.arange(4)).tolist()
        [1, 3, 0, 2]
    """
    num_rows, num_columns = weights.shape
    shape = num_rows, num_columns
    entries = csr_matrix((np.ones(weights.nnz, np.int8), weights.indices, weights.indptr), shape)
    growth = _growth_of_cost(int(np.bincount(weights.indices, minlength=1).max()))
    order, bounds = start.copy(), np.array([0, num_rows])
    while np.diff(bounds).max() > 1:
        until = np.concatenate([[0], np.cumsum(np.diff(entries.indptr)[order])])[bounds]
        for cut in cuts(until, _CHUNK):
            some = bounds[cut.start : cut.stop + 1]
            level, rows = _Level.of(some - some[0]), order[some[0] : some[-1]]
            order[some[0] : some[-1]] = rows[level.halved(entries[rows].tocsc(), growth)]
        bounds = _Level.of(bounds).bounds_below()
    return order


def _growth_of_cost(most_rows: int) -> np.ndarray:
    """Return what one more row in a half of d rows does to d log2(d + 1), for d from 0."""
    d = np.arange(most_rows + 1)
    return (d + 1) * np.log2(d + 2) - d * np.log2(d + 1)


@dataclass(frozen=True, eq=False)
class _Level:
    """Sets of neighbouring places that are cut in halves at the same time.

    Attributes:
        bounds: Where each set begins, and the end of the last.
        set_of_place: The set that each place is in.
        cut: Where the second half of each set begins.
    """

    bounds: np.ndarray
    set_of_place: np.ndarray
    cut: np.ndarray

    @classmethod
    def of(cls, bounds: np.ndarray) -> "_Level":
        sizes = np.diff(bounds)
        return cls(bounds, np.repeat(np.arange(len(sizes)), sizes), bounds[:-1] + (sizes + 1) // 2)

    def bounds_below(self) -> np.ndarray:
        """Return the bounds of the halves; a set of one row stays as it is."""
        return np.unique(np.concatenate([self.bounds, self.cut]))

    def halved(self, by_column: csc_matrix, growth: np.ndarray) -> np.ndarray:
        """Return the old place of the row at each new place, after rows changed halves."""
        columns = _ColumnsOfSets.of(by_column, self.set_of_place)
        sets, num_sets = self.set_of_place, len(self.cut)
        in_second = (np.arange(len(sets)) >= self.cut[sets]).astype(np.int64)
        first, number = self._first_of_pairs()
        for round_ in range(_ROUNDS if len(columns.row) else 0):
            gain = columns.gain_of_moves(in_second, growth)
            ranked = np.lexsort((-gain, in_second, sets))
            second = self._second_of_pairs(first, number + round_ % 2)
            # The gains of a set's pairs fall, but for the last one of an odd round.
            gaining = gain[ranked[first]] + gain[ranked[second]] > 0
            num_gaining = np.bincount(sets[first[gaining]], minlength=num_sets)
            swapped = gaining & (number < np.ceil(num_gaining * _SHARE_SWAPPED)[sets[first]])
            in_second[ranked[first[swapped]]] = 1
            in_second[ranked[second[swapped]]] = 0
        return np.lexsort((in_second, sets))

    def _first_of_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places in first halves that have a partner, and their number in the half."""
        place = np.arange(len(self.set_of_place))
        number = place - self.bounds[self.set_of_place]
        paired = number < (self.bounds[1:] - self.cut)[self.set_of_place]
        return place[paired], number[paired]

    def _second_of_pairs(self, first: np.ndarray, number: np.ndarray) -> np.ndarray:
        """Return the place of the partner with a number, counted on from the start at the end."""
        sets = self.set_of_place[first]
        place: np.ndarray = self.cut[sets] + number % (self.bounds[1:] - self.cut)[sets]
        return place


@dataclass(frozen=True, eq=False)
class _ColumnsOfSets:
    """The entries, together where set and column are the same.

    Attributes:
        row: The row of each entry, by its place.
        group: The group of each entry.
        start: Where each group begins.
        size: Entries of each group, at least two: a single one costs the same in either half.
    """

    row: np.ndarray
    group: np.ndarray
    start: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, by_column: csc_matrix, set_of_place: np.ndarray) -> "_ColumnsOfSets":
        # Within a column the places rise, so the entries of a set are together.
        row = by_column.indices
        column = np.repeat(np.arange(by_column.shape[1]), np.diff(by_column.indptr))
        sets = set_of_place[row]
        begins = np.ones(len(row), dtype=bool)
        begins[1:] = (sets[1:] != sets[:-1]) | (column[1:] != column[:-1])
        size = np.diff(np.append(np.flatnonzero(begins), len(row)))
        # NumPy would turn 32-bit indices into these at every use.
        row, size = row[np.repeat(size > 1, size)].astype(np.intp), size[size > 1]
        return cls(row, np.repeat(np.arange(len(size)), size), np.cumsum(size) - size, size)

    def gain_of_moves(self, in_second: np.ndarray, growth: np.ndarray) -> np.ndarray:
        """Return by how much the cost falls if a row, alone, changes into the other half."""
        side = in_second[self.row]
        num_second = np.add.reduceat(side, self.start)
        num_first = self.size - num_second
        # Index −1 is read where a half is empty, and no entry of that half needs the result.
        to_second = growth[num_second] - growth[num_first - 1]
        to_first = growth[num_first] - growth[num_second - 1]
        both = np.stack([to_second, to_first], axis=1).ravel()
        gain = np.bincount(self.row, both[2 * self.group + side], len(in_second))
        return np.round(gain, _DECIMALS)
