"""RatingFactors: a factorisation of what the deviations of users and items leave of ratings."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.rating_models import RatingFactorsConfig
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.models.ratings.rating_bias import RatingBias
from recsparse.models.ratings.rating_model import RatingModel
from recsparse.models.ratings.row_posteriors import row_posteriors


class RatingFactors(RatingModel, HasItemVectors):
    """Biased matrix factorisation by alternating least squares.

    `r_ui = g + b_u + b_i + p_u q_i` (Koren, Bell and Volinsky 2009,
    https://doi.org/10.1109/MC.2009.263, eq. 4). The deviations come first (`RatingBias`); the
    factors minimise the squared residuals of the observed cells plus `l (|p_u|^2 + |q_i|^2)`.
    """

    kind: ClassVar[str] = "rating_factors"
    config: RatingFactorsConfig

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "RatingFactors":
        """Fit the deviations, then the item factors; the users' are solved for when scored.

        Args:
            interactions: Users × items, the ratings.
            context: The seed of the starting factors.

        Returns:
            The model itself.
        """
        ratings = self._start_fit(interactions)
        self.bias = RatingBias(self.config.bias).fit(ratings)
        left = self.bias.residuals(ratings)
        by_item = csr_matrix(left.T)
        iterations = self.config.iterations
        generator = torch.Generator().manual_seed(context.seed)
        shape = self.num_items, self.config.factors
        items = torch.randn(shape, generator=generator, dtype=torch.float64) * 0.1
        with context.reporter.task("alternating least squares", iterations) as advance:
            for done in range(iterations):
                items = self._half_step(by_item, self._half_step(left, items))
                advance(done + 1)
        self.item_factors = items
        return self

    def _predict(self, history: csr_matrix) -> Float[Tensor, "b m"]:
        users = self._half_step(self.bias.residuals(history), self.item_factors)
        return self.bias._predict(history) + users @ self.item_factors.T

    def _half_step(self, rows: csr_matrix, columns: Tensor) -> Float[Tensor, "n d"]:
        prior = self.config.regularisation * torch.eye(columns.shape[1], dtype=columns.dtype)
        return row_posteriors(rows, columns, columns.new_zeros(1, columns.shape[1]), prior, 1.0)

    @override
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """The item factors."""
        return self.item_factors.float()

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the deviations and the item factors."""
        bias = {f"bias.{name}": value for name, value in self.bias.state().items()}
        return {**bias, "item_factors": self.item_factors}

    @classmethod
    @override
    def from_state(
        cls, config: RatingFactorsConfig, state: Mapping[str, Tensor]
    ) -> "RatingFactors":
        model = cls(config)
        own = "bias."
        bias = {name.removeprefix(own): state[name] for name in state if name.startswith(own)}
        model.bias = RatingBias.from_state(config.bias, bias)
        model.num_items = model.bias.num_items
        model.item_factors = stored_tensor(
            state, "item_factors", model.num_items, config.factors, dtype=torch.float64
        )
        model._set_range(bias)
        return model
