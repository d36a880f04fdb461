"""Rows of users, those of unknown users among them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


def rows_of_users(matrix: csr_matrix, user_index: NDArray[np.int64]) -> csr_matrix:
    """Return one row a user.

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
