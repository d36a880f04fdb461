"""Random rows with times, and a model after one epoch on them."""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.config.model_section import known_sections
from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model

_EVENTS = 100


def random_rows(users: int, items: int) -> tuple[csr_matrix, csr_matrix]:
    """Return about 100 events per user, of popular items more often, at random times.

    Args:
        users: Number of rows.
        items: Number of columns.

    Returns:
        Weights of 1, and seconds.
    """
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(1, items + 1)
    share = np.minimum(popularity / popularity.sum() * _EVENTS, 0.9)
    cells = csr_matrix((rng.random((users, items)) < share).astype(np.float32))
    seconds = rng.permutation(cells.nnz).astype(np.int64)
    return cells, csr_matrix((seconds, cells.indices, cells.indptr), shape=cells.shape)


def fitted(kind: str, cells: csr_matrix, times: csr_matrix) -> Recommender:
    """Return a model after one epoch.

    Args:
        kind: The model.
        cells: Users × items.
        times: Of the cells.

    Returns:
        The model.
    """
    config = known_sections()[kind]
    training = TrainingConfig(epochs=1, device="cpu")
    own: dict[str, Any] = {"training": training} if "training" in config.model_fields else {}
    return fit_model(build_model(config(**own)), cells, FitContext(training, times=times))
