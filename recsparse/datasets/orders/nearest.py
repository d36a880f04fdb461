"""Nearest rows: newcomers on an axis stand next to what they are most like."""

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, diags_array

from recsparse.datasets.orders.cuts import cuts

# A column of more rows says little of any of them, and without a bound the work of the common
# columns would grow with the product of newcomers and rows.
MOST_ROWS_OF_COLUMN = 1000
# Products of this many numbers are in memory at once.
_CHUNK = 4_000_000
# Similarities that differ by rounding errors are a tie.
_DECIMALS = 9


def nearest_rows(newcomers: csr_matrix, rows: csr_matrix) -> np.ndarray:
    """Return for each newcomer the row with the largest cosine.

    Args:
        newcomers: Weights, not negative, over the same columns as `rows`.
        rows: Weights, not negative. Of a column with more than `MOST_ROWS_OF_COLUMN` rows, the
            first so many meet newcomers by it; the length of every row counts as it is.

    Returns:
        A row each, of several the first; −1 where no row shares a column.

    Example:
        >>> rows = csr_matrix([[1.0, 1.0], [0.0, 3.0]])
        >>> nearest_rows(csr_matrix([[0.0, 1.0], [5.0, 1.0], [0.0, 0.0]]), rows).tolist()
        [1, 0, -1]
    """
    by_column = _first_of_columns(_unit_rows(rows).tocsc()).T.tocsr()
    scaled = _unit_rows(newcomers)
    nearest = np.full(newcomers.shape[0], -1, dtype=np.int64)
    products = np.concatenate([[0], np.cumsum(np.diff(by_column.indptr)[scaled.indices])])
    for chunk in cuts(products[scaled.indptr], _CHUNK):
        row, best = _largest_of_rows(csr_matrix(scaled[chunk] @ by_column))
        nearest[chunk.start + row] = best
    return nearest


def placed_behind(index: np.ndarray, newcomers: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Return an order into which newcomers are set, each right behind its anchor.

    Args:
        index: The rows that have a place, in their order.
        newcomers: Rows without a place.
        anchor: A row of `index` for each newcomer, or −1 for the end.

    Returns:
        All rows; newcomers of one anchor, and those at the end, as they came.

    Example:
        >>> placed_behind(np.array([1, 0]), np.array([2, 3, 4]), np.array([1, -1, 1])).tolist()
        [1, 2, 4, 0, 3]
    """
    place = np.zeros(max(index.max(initial=-1), anchor.max(initial=-1)) + 1, dtype=np.int64)
    place[index] = np.arange(len(index))
    target = np.full(len(anchor), len(index))
    target[anchor >= 0] = place[anchor[anchor >= 0]]
    rows = np.concatenate([index, newcomers])
    is_new = np.repeat([0, 1], [len(index), len(newcomers)])
    key = np.concatenate([np.arange(len(index)), target])
    return rows[np.lexsort((is_new, key))]


def _unit_rows(weights: csr_matrix) -> csr_matrix:
    length = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    return csr_matrix(diags_array(1 / np.where(length > 0, length, 1.0)) @ weights)


def _first_of_columns(weights: csc_matrix) -> csc_matrix:
    """Return the matrix with the first `MOST_ROWS_OF_COLUMN` entries of each column."""
    weights.sort_indices()
    sizes = np.diff(weights.indptr)
    place = np.arange(weights.nnz) - np.repeat(weights.indptr[:-1], sizes)
    kept = place < MOST_ROWS_OF_COLUMN
    pointers = np.concatenate([[0], np.cumsum(np.minimum(sizes, MOST_ROWS_OF_COLUMN))])
    return csc_matrix((weights.data[kept], weights.indices[kept], pointers), shape=weights.shape)


def _largest_of_rows(products: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that hold anything, and the column of the largest entry of each."""
    products.sort_indices()
    sizes = np.diff(products.indptr)
    row = np.flatnonzero(sizes)
    if len(row) == 0:
        return row, row
    data = np.round(products.data, _DECIMALS)
    largest = np.maximum.reduceat(data, products.indptr[row])
    place = np.flatnonzero(data == np.repeat(largest, sizes[row]))
    first = np.searchsorted(place, products.indptr[row])
    return row, products.indices[place[first]].astype(np.int64)
