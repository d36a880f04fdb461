"""Predicted ratings of a part, compared with the true ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.evaluated.lists import SharedCells
from recsparse.errors import InputError
from recsparse.metrics.rating_metrics import RatingResult, rating_errors
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.predicted_cells import predicted_cells


def evaluate_ratings(
    model: FittedModel,
    history: csr_matrix | SharedCells,
    targets: csr_matrix,
    batch_users: int = 1024,
    user: NDArray[np.int64] | None = None,
) -> RatingResult:
    """Predict ratings and compare them with the true ones.

    Args:
        model: A fitted model whose scores are ratings.
        history: Users × items, the ratings that the model may see.
        targets: Users × items, the ratings that it has to predict.
        batch_users: Users scored at a time.
        user: The user of each row, from 0 on; None where each row is a user.

    Returns:
        Root mean squared and mean absolute errors, as `RATING_FORMULAS` defines them.

    Raises:
        InputError: If the shapes differ, or the scores of the model are no ratings.
    """
    if not model.predicts_ratings:
        raise InputError(
            f"the scores of the model must be ratings, but those of {model.kind} only rank; choose "
            "model.kind rating_bias, rating_factors, rating_bayes or rating_grid"
        )
    if history.shape != targets.shape:
        raise InputError(
            f"history and targets must have one shape, but got {history.shape} and {targets.shape}"
        )
    found = [np.zeros(0)]
    for start in range(0, history.shape[0], batch_users):
        rows = slice(start, start + batch_users)
        found.append(predicted_cells(model, history[rows], targets[rows], batch_users))
    return rating_errors(np.concatenate(found), targets, user)
