"""Weights of a history by how recent its events are."""

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.models.histories.sequences import event_order


def recency_weighted(
    history: csr_matrix, times: csr_matrix | None, decay: float, floor: float = 0.0
) -> csr_matrix:
    """Weigh each event of a user by the number of later ones.

    Args:
        history: Users × items.
        times: The time of each cell; cells of equal times count by item.
        decay: Factor for each later event of the user, at most 1.
        floor: What old events keep: an event weighs `floor + (1 − floor) decay^later`.

    Returns:
        The history with its weights multiplied.

    Raises:
        InputError: If there are no times, or not one for each cell.
    """
    order = event_order(history, times)
    lengths = np.diff(history.indptr)
    later = np.empty(history.nnz, dtype=np.int64)
    later[order] = np.repeat(history.indptr[1:], lengths) - 1 - np.arange(history.nnz)
    factor = floor + (1.0 - floor) * decay ** later.astype(np.float64)
    weighted = (history.data * factor).astype(np.float32)
    return csr_matrix((weighted, history.indices, history.indptr), shape=history.shape)
