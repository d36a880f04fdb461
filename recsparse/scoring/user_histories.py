"""Rows of users, those of unknown users among them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix


def rows_of_users(matrix: csr_matrix, user_index: NDArray[np.int64]) -> csr_matrix:
    """Return one row per user.

    Args:
        matrix: Users × items.
        user_index: Users; an unknown one, -1, has an empty row.

    Returns:
        The rows.
    """
    known = user_index >= 0
    rows = matrix[np.where(known, user_index, 0)]
    if known.all():
        return rows
    keep = np.repeat(known, np.diff(rows.indptr))
    lengths = np.where(known, np.diff(rows.indptr), 0)
    indptr = np.concatenate([[0], lengths.cumsum()])
    return csr_matrix((rows.data[keep], rows.indices[keep], indptr), shape=rows.shape)


def merged_rows(
    old: csr_matrix,
    place: NDArray[np.int64],
    new: coo_matrix,
    replaced: NDArray[np.int64],
) -> csr_matrix:
    """Lay known and new rows out together; those of some users are replaced.

    Args:
        old: Users × items, as they were.
        place: The row of each of these users in the result.
        new: Users × items of the result, the new cells alone.
        replaced: Rows of the result whose old cells go.

    Returns:
        Old cells and new ones, of the shape of `new`.
    """
    known = old.tocoo()
    row = place[known.row]
    keep = ~np.isin(row, replaced)
    # Not their sum: it would forget the cells of weight 0, which have been seen all the same.
    both = (
        np.concatenate([known.data[keep], new.data]),
        (np.concatenate([row[keep], new.row]), np.concatenate([known.col[keep], new.col])),
    )
    return coo_matrix(both, shape=new.shape).tocsr()
