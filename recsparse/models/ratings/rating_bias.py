"""RatingBias: a rating is the mean, plus what is usual for the user and for the item."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.rating_models import RatingBiasConfig
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.stored_arrays import stored_number, stored_tensor
from recsparse.models.ratings.rating_model import RatingModel, with_values

# Users and items are solved for in turn until no item moves further than this, relative to the
# largest; what they converge to slowly is a constant that moves from all users to all items.
_CLOSE, _MOST_SWEEPS = 1e-8, 500


class RatingBias(RatingModel):
    """Baseline predictors of ratings (Koren 2010, https://doi.org/10.1145/1644873.1644874, 2.1).

    `r_ui = g + b_u + b_i` with the ridge estimates `b_i = sum_u (r_ui - g - b_u) / (s_i + n_i)` and
    likewise `b_u`, solved for in turn until they agree. A user's own number is solved for again
    from the row that is scored.
    """

    kind: ClassVar[str] = "rating_bias"
    config: RatingBiasConfig

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "RatingBias":
        """Find the mean and the deviation of each item."""
        ratings = self._start_fit(interactions)
        self.mean = float(ratings.data.mean(dtype=np.float64))
        item = np.zeros(self.num_items)
        by_item = csr_matrix(ratings.T)
        for _ in range(_MOST_SWEEPS):
            before = item
            user = _shrunk_means(ratings, self.mean, item, self.config.user_shrinkage)
            item = _shrunk_means(by_item, self.mean, user, self.config.item_shrinkage)
            if np.abs(item - before).max() <= _CLOSE * np.abs(item).max():
                break
        self.item_bias = torch.from_numpy(item)
        return self

    def _predict(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        user = torch.from_numpy(self.user_bias(history))
        return self.mean + user.unsqueeze(1) + self.item_bias

    def user_bias(self, history: csr_matrix) -> np.ndarray:
        """Return the deviation of each user.

        Args:
            history: One row of ratings per user.

        Returns:
            float64; zero for a row without ratings.
        """
        item = self.item_bias.numpy()
        return _shrunk_means(history, self.mean, item, self.config.user_shrinkage)

    def residuals(self, history: csr_matrix) -> csr_matrix:
        """Return what the deviations leave of the ratings.

        Args:
            history: One row of ratings per user.

        Returns:
            float64, the same cells.
        """
        user = np.repeat(self.user_bias(history), np.diff(history.indptr))
        left = history.data - self.mean - user - self.item_bias.numpy()[history.indices]
        return with_values(history, left)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the mean, the deviations of the items and the range."""
        mean = torch.tensor(self.mean, dtype=torch.float64)
        return {"mean": mean, "item_bias": self.item_bias, "range": self._range()}

    @classmethod
    @override
    def from_state(cls, config: RatingBiasConfig, state: Mapping[str, Tensor]) -> "RatingBias":
        model = cls(config)
        model.mean = stored_number(state, "mean")
        model.item_bias = stored_tensor(state, "item_bias", None, dtype=torch.float64)
        model.num_items = len(model.item_bias)
        model._set_range(state)
        return model


def _shrunk_means(
    rows: csr_matrix, mean: float, column_bias: np.ndarray, shrinkage: float
) -> np.ndarray:
    """Return the mean of each row's deviations, over its number of cells plus the shrinkage."""
    lengths = np.diff(rows.indptr)
    row = np.repeat(np.arange(rows.shape[0]), lengths)
    deviation = rows.data - mean - column_bias[rows.indices]
    total = np.bincount(row, deviation, minlength=rows.shape[0])
    shrunk: np.ndarray = total / np.maximum(lengths + shrinkage, 1e-12)
    return shrunk
