"""The spectral order: rows that share columns side by side."""

import logging

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

logger = logging.getLogger(__name__)

# Up to this many rows the row-by-row matrix is built; above, only products with it are taken.
DENSE_ROWS = 256
# Lanczos: vectors kept, and the restarts after which the loose tolerance has to do.
_BASIS, RESTARTS = 64, 100
_PRECISE, _LOOSE = 1e-10, 1e-4
# Entries of the Fiedler vector that differ by less, relative to its largest, are a tie: rows with
# equal entries would otherwise be ordered by rounding errors.
_TIE = 1e-6


def fiedler_order(weights: csr_matrix, seed: int = 0) -> np.ndarray:
    """Return the rows in the order of the Fiedler vector of their co-occurrence graph.

    Rows u and v are joined by `S[u, v] = sum_i A[u, i] A[v, i] / sum_w A[w, i]`: a column shares
    its weight among its rows, so that a popular column joins no more than a rare one. With the
    degrees D of S, which are the row sums of A, the Fiedler vector is `D^-1/2` times the
    eigenvector of the second smallest eigenvalue of the normalised Laplacian
    `I - D^-1/2 S D^-1/2`; in Dhillon 2001 (https://doi.org/10.1145/502512.502550, section 4) it
    is the second left singular vector. Sorting by a Fiedler vector is the seriation of Atkins,
    Boman and Hendrickson 1998 (https://doi.org/10.1137/S0097539795285771), there of the Laplacian
    that is not normalised. Connected components follow one another, the largest first.

    S is never built above `DENSE_ROWS` rows: each step of the Lanczos iteration costs two products
    with A. Rows in very long chains, which have hardly any gap between eigenvalues, get an
    approximate order, and a warning is logged.

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
    return np.concatenate(
        [
            rows if len(rows) <= 2 else rows[_order_connected(weights[rows], seed)]
            for rows in members
        ]
    )


def _component_of_row(weights: csr_matrix) -> np.ndarray:
    """Number the components in the order of their lowest row."""
    _, label = connected_components(_bipartite(weights), directed=False)
    _, first_row, component = np.unique(
        label[: weights.shape[0]], return_index=True, return_inverse=True
    )
    numbered: np.ndarray = np.argsort(np.argsort(first_row))[component]
    return numbered


def _bipartite(weights: csr_matrix) -> csr_matrix:
    """Return the graph of rows, and behind them columns, with an edge an entry."""
    num_rows, num_columns = weights.shape
    coo, size = weights.tocoo(), num_rows + num_columns
    return csr_matrix((np.ones(coo.nnz), (coo.row, coo.col + num_rows)), shape=(size, size))


def _order_connected(weights: csr_matrix, seed: int) -> np.ndarray:
    """Order the rows of a matrix whose rows are connected by its columns."""
    root_degree = np.sqrt(np.asarray(weights.sum(axis=1)).ravel())
    column_sum = np.asarray(weights.sum(axis=0)).ravel()
    root_column = np.sqrt(np.where(column_sum > 0, column_sum, 1.0))
    scaled = csr_matrix(diags_array(1 / root_degree) @ weights @ diags_array(1 / root_column))
    # The eigenvector of the smallest eigenvalue, which is 0, is known: sqrt(D), normalised.
    trivial = root_degree / np.linalg.norm(root_degree)
    solve = _second_dense if weights.shape[0] <= DENSE_ROWS else _second_lanczos
    similarity, vector = solve(scaled, trivial, seed)
    if similarity < _TIE:
        # All rows have the same columns in the same proportions: any order is as good.
        return np.arange(weights.shape[0])
    vector = vector / root_degree
    vector = np.round(vector / np.abs(vector).max() / _TIE)
    if vector[np.argmax(np.abs(vector))] < 0:
        vector = -vector
    return np.argsort(vector, kind="stable")


def _second_dense(scaled: csr_matrix, trivial: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """Return the largest eigenvalue of `scaled scaled^T` but for the trivial 1, and its vector."""
    similarity = (scaled @ scaled.T).toarray() - np.outer(trivial, trivial)
    last = scaled.shape[0] - 1
    values, vectors = eigh(similarity, subset_by_index=[last, last])
    return float(values[0]), vectors[:, 0]


def _second_lanczos(scaled: csr_matrix, trivial: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """Return what `_second_dense` does, by products with `scaled` alone."""

    def product(x: np.ndarray) -> np.ndarray:
        # The identity is added since ARPACK fails on the zero matrix.
        result: np.ndarray = x + scaled @ (scaled.T @ x) - trivial * (trivial @ x)
        return result

    size = scaled.shape[0]
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = _walk_from_the_rim(scaled) + np.random.default_rng(seed).standard_normal(size)

    def solve(tolerance: float, restarts: int) -> tuple[float, np.ndarray]:
        values, vectors = eigsh(
            operator,
            1,
            which="LA",
            v0=start,
            ncv=min(size, _BASIS),
            maxiter=restarts,
            tol=tolerance,
        )
        return float(values[0]) - 1.0, vectors[:, 0]

    try:
        return solve(_PRECISE, RESTARTS)
    except ArpackNoConvergence:
        logger.warning("the spectral order of %d rows is approximate: they form long chains", size)
        return solve(_LOOSE, 10 * RESTARTS)


def _walk_from_the_rim(weights: csr_matrix) -> np.ndarray:
    """Return the place of each row in a breadth-first walk from a row at the rim, a first guess."""
    graph, start = _bipartite(weights), 0
    for _ in range(2):
        walk = breadth_first_order(graph, start, directed=False, return_predecessors=False)
        rows = walk[walk < weights.shape[0]]
        start = rows[-1]
    return np.argsort(rows)
