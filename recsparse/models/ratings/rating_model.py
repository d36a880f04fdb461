"""What all models of explicit ratings share: checked ratings, predictions in their range."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.errors import InputError
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_tensor


class RatingModel(Recommender):
    """A model whose scores are predicted ratings; the weights of the interactions are the ratings.

    Predictions are cut off at the lowest and the highest rating of the fit.

    Args:
        config: The model's section of the configuration.
    """

    predicts_ratings: ClassVar[bool] = True

    lowest: float = 0.0
    highest: float = 0.0

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Ratings within the range of the fit, for a row without any those of a stranger."""
        history = self._checked_history(history)
        refuse_zero_ratings(history)
        history.sum_duplicates()
        return self._predict(history).float().clamp(self.lowest, self.highest)

    @abstractmethod
    def _predict(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        """Predict without the limits, which `score_batch` keeps."""

    def _start_fit(self, interactions: csr_matrix) -> csr_matrix:
        """Check the ratings, and keep their range and the number of items."""
        ratings = check_ratings(interactions)
        self.num_items = ratings.shape[1]
        self.lowest, self.highest = float(ratings.data.min()), float(ratings.data.max())
        return ratings

    def _range(self) -> Tensor:
        return torch.tensor([self.lowest, self.highest])

    def _set_range(self, state: Mapping[str, Tensor]) -> None:
        self.lowest, self.highest = stored_tensor(state, "range", 2).tolist()


def check_ratings(interactions: csr_matrix) -> csr_matrix:
    """Return the ratings as float32, or raise an error if nothing can be learned from them.

    Args:
        interactions: Users × items, the weights of its cells are ratings.

    Returns:
        A copy with each cell once.

    Raises:
        InputError: If there is no rating, or one is zero, negative or not finite.
    """
    csr = csr_matrix(interactions, copy=True)
    csr.sum_duplicates()
    if csr.data.any():
        refuse_zero_ratings(csr)
    return check_interactions(csr)


def refuse_zero_ratings(ratings: csr_matrix) -> None:
    """Raise an error if a rating is zero.

    Args:
        ratings: Users × items.

    Raises:
        InputError: If a stored cell is zero.
    """
    zero = np.flatnonzero(ratings.data == 0)
    if len(zero):
        row = int(np.searchsorted(ratings.indptr, zero[0], side="right")) - 1
        raise InputError(
            "ratings must be above 0, since a cell of weight 0 is one without a rating, but "
            f"{len(zero)} of {ratings.nnz} are 0; the first is that of item "
            f"{ratings.indices[zero[0]]} in row {row}; add a constant to all ratings"
        )


def with_values(cells: csr_matrix, values: np.ndarray) -> csr_matrix:
    """Return a matrix with the cells of another; those of value zero stay stored.

    Args:
        cells: The cells.
        values: One number per cell.

    Returns:
        The matrix.
    """
    return csr_matrix((values, cells.indices, cells.indptr), shape=cells.shape)
