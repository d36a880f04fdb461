"""iALS: factors of users and items by alternating ridge regressions over all cells."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import IALSConfig
from recsparse.models.linear.als import als_factors, half_step, with_empty_weight
from recsparse.models.linear.folded_in import FoldedIn, Folding
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.stored_arrays import stored_number, stored_tensor


class IALS(Recommender, FoldedIn):
    """Implicit alternating least squares (Hu, Koren and Volinsky 2008, ICDM).

    Minimises `sum over observed (u, i) of w_ui (p_u q_i - 1)^2 + a sum over all (p_u q_i)^2
    + sum_u l_u |p_u|^2 + sum_i l_i |q_i|^2` with the frequency-scaled regularisation
    `l_u = l (n_u + a m)^v` of Rendle et al. 2021 (https://arxiv.org/abs/2110.14037, section 3.2).
    """

    kind: ClassVar[str] = "ials"
    config: IALSConfig

    @override
    def continues(self) -> bool:
        return True

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "IALS":
        """Fit the item factors; the users' are solved for again when they are scored.

        Args:
            interactions: Users × items, positive weights.
            context: The seed of the starting factors; or those of `warm_start`.

        Returns:
            The model itself.
        """
        interactions = check_interactions(interactions)
        self.solver = with_empty_weight(self.config, interactions)
        _, self.item_factors = als_factors(
            interactions, self.solver, context.seed, context.warm_start, context.reporter
        )
        self.num_items = interactions.shape[1]
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """Products of user and item factors."""
        users = half_step(self._checked_history(history), self.item_factors, self.solver)
        return users @ self.item_factors.T

    @override
    def folding(self) -> Folding:
        return Folding(self.item_factors, self.solver)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the item factors and the weight of an empty cell."""
        weight = torch.tensor(self.solver.unobserved_weight, dtype=torch.float64)
        return {"item_factors": self.item_factors, "unobserved_weight": weight}

    @classmethod
    @override
    def from_state(cls, config: IALSConfig, state: Mapping[str, Tensor]) -> "IALS":
        model = cls(config)
        model.item_factors = stored_tensor(state, "item_factors", None, config.factors)
        weight = stored_number(state, "unobserved_weight")
        model.solver = config.model_copy(update={"unobserved_weight": weight})
        model.num_items = len(model.item_factors)
        return model
