"""Errors of predicted ratings, over all ratings and a user at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.evaluated.lists import SharedCells
from recsparse.errors import InputError
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.ratings.rating_model import predicted_cells

RATING_FORMULAS: Mapping[str, str] = {
    "rmse": "square root of the mean squared error over all ratings of the part",
    "mae": "mean absolute error over all ratings of the part",
    "user_rmse": "square root of the mean squared error over the user's ratings",
    "user_mae": "mean absolute error over the user's ratings",
}


@dataclass(frozen=True)
class RatingResult:
    """The errors of one model on one part.

    Attributes:
        overall: `rmse` and `mae` of all ratings; NaN where there are none.
        per_user: `user_rmse` and `user_mae`, one value a user; NaN for users without targets.
        errors: Predicted less true rating of each target, in the order of their matrix.
    """

    overall: dict[str, float]
    per_user: dict[str, NDArray[np.float64]]
    errors: NDArray[np.float64]


def evaluate_ratings(
    model: Recommender,
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
    errors = np.concatenate(found) - targets.data
    user = np.arange(targets.shape[0]) if user is None else user
    return _result(errors, np.repeat(user, np.diff(targets.indptr)), int(user.max(initial=-1)) + 1)


def _result(errors: NDArray[np.float64], user: NDArray[np.int64], num_users: int) -> RatingResult:
    count = np.bincount(user, minlength=num_users)
    known = np.where(count > 0, count, np.nan)
    squared, absolute = (
        np.bincount(user, values, minlength=num_users) for values in (errors**2, np.abs(errors))
    )
    total = len(errors) or np.nan
    return RatingResult(
        overall={
            "rmse": float(np.sqrt(squared.sum() / total)),
            "mae": float(absolute.sum() / total),
        },
        per_user={"user_rmse": np.sqrt(squared / known), "user_mae": absolute / known},
        errors=errors,
    )
