"""A model's scores of single cells, as errors of ratings need them."""

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.models.protocol.fitted_model import FittedModel


def predicted_cells(
    model: FittedModel, history: csr_matrix, targets: csr_matrix, batch_users: int = 1024
) -> np.ndarray:
    """Return the scores of the stored cells of a matrix.

    Args:
        model: A fitted model.
        history: One row per user, what the model may see.
        targets: One row per user, the cells to score.
        batch_users: Users scored at a time.

    Returns:
        float64, in the order of `targets.data`.
    """
    found = [np.zeros(0)]
    for start in range(0, history.shape[0], batch_users):
        some = targets[start : start + batch_users]
        row = np.repeat(np.arange(some.shape[0]), np.diff(some.indptr))
        scores = model.score_batch(history[start : start + batch_users]).numpy()
        found.append(scores[row, some.indices].astype(np.float64))
    return np.concatenate(found)
