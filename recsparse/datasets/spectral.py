"""The spectral order: rows that share columns side by side."""

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh

from recsparse.errors import InputError

# Up to so many rows the row-by-row matrix is built; above, only products with it are taken.
DENSE_ROWS = 256
# Entries of the Fiedler vector that differ by less, relative to its largest, are a tie: rows with
# equal entries would otherwise be ordered by rounding errors.
_TIE = 1e-6


def fiedler_order(weights: csr_matrix, seed: int = 0) -> np.ndarray:
    """Return the rows in the order of the Fiedler vector of their co-occurrence graph.

    Rows u and v are joined by `S[u, v] = sum_i A[u, i] A[v, i] / sum_w A[w, i]`: a column shares
    its weight among its rows, so that a popular column joins no more than a rare one. With the
    degrees D of S, the row sums of A, the Fiedler vector is the eigenvector of the normalised
    Laplacian `I - D^-1/2 S D^-1/2` of the second smallest eigenvalue, times `D^-1/2`; it is the
    second singular vector of Dhillon 2001 (https://doi.org/10.1145/502512.502550, section 4), of
    which Atkins et al. 1998 (https://doi.org/10.1137/S0097539795285771) show that sorting by it
    solves the seriation problem where that has a solution. Connected components follow one
    another, the largest first.

    S is never built above `DENSE_ROWS` rows: each step of the Lanczos iteration costs two products
    with A.

    Args:
        weights: The matrix A, without negative or stored zero entries.
        seed: Seed of the start vector.

    Returns:
        Every row once. The two directions of an order are equally good: the one is taken in which
        the row of the largest entry by magnitude (of several, the lowest row) comes late.

    Example:
        >>> two_groups = csr_matrix([[1.0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
        >>> fiedler_order(two_groups).tolist()
        [0, 2, 4, 1, 3]
    """
    num_rows = weights.shape[0]
    if num_rows == 0:
        return np.zeros(0, dtype=np.int64)
    component = _component_of_row(weights)
    members = np.split(np.argsort(component, kind="stable"), np.cumsum(np.bincount(component))[:-1])
    members.sort(key=len, reverse=True)  # stable: of equal size, the one with the lowest row first
    return np.concatenate([rows[_order_connected(weights[rows], seed)] for rows in members])


def _component_of_row(weights: csr_matrix) -> np.ndarray:
    """Number the components in the order of their lowest row."""
    num_rows, num_columns = weights.shape
    coo = weights.tocoo()
    size = num_rows + num_columns
    graph = csr_matrix((np.ones(coo.nnz), (coo.row, coo.col + num_rows)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, first_row, component = np.unique(label[:num_rows], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first_row))[component]


def _order_connected(weights: csr_matrix, seed: int) -> np.ndarray:
    """Order the rows of a matrix whose rows are connected by its columns."""
    if weights.shape[0] <= 2:
        return np.arange(weights.shape[0])
    root_degree = np.sqrt(weights.sum(axis=1))
    scaled = _scaled(weights, root_degree)
    solve = _fiedler_dense if weights.shape[0] <= DENSE_ROWS else _fiedler_lanczos
    vector = solve(scaled, root_degree / np.linalg.norm(root_degree), seed) / root_degree
    vector = np.round(vector / np.abs(vector).max() / _TIE)
    if vector[np.argmax(np.abs(vector))] < 0:
        vector = -vector
    return np.argsort(vector, kind="stable")
