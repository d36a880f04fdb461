"""Errors of predicted ratings, over all ratings and for each user."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

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
        per_user: `user_rmse` and `user_mae`, one value per user; NaN for users without targets.
        errors: Predicted less true rating of each target, in the order of their matrix.
    """

    overall: dict[str, float]
    per_user: dict[str, NDArray[np.float64]]
    errors: NDArray[np.float64]


def rating_errors(
    predicted: NDArray[np.float64], targets: csr_matrix, user: NDArray[np.int64] | None = None
) -> RatingResult:
    """Compare predicted ratings with the true ones, as `RATING_FORMULAS` defines it.

    Args:
        predicted: One rating a stored cell of the targets, in their order.
        targets: Users × items, the true ratings.
        user: The user of each row, from 0 on; None where each row is a user.

    Returns:
        Root mean squared and mean absolute errors.

    Example:
        >>> truth = csr_matrix([[3.0, 0.0], [4.0, 5.0]])
        >>> rating_errors(np.array([3.0, 4.0, 2.0]), truth).overall["mae"]
        1.0
    """
    user = np.arange(targets.shape[0]) if user is None else user
    errors, num_users = predicted - targets.data, int(user.max(initial=-1)) + 1
    of_cell = np.repeat(user, np.diff(targets.indptr))
    count = np.bincount(of_cell, minlength=num_users)
    known = np.where(count > 0, count, np.nan)
    squared, absolute = (
        np.bincount(of_cell, values, minlength=num_users) for values in (errors**2, np.abs(errors))
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
