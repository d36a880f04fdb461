"""Popularity: the same list for everyone, the baseline that any model must beat."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor
from typing_extensions import override

from recsparse.config.linear_models import PopularityConfig
from recsparse.config.units import SECONDS_A_DAY
from recsparse.errors import InputError
from recsparse.models.histories.sequences import times_of_cells
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import PLAIN, FitContext
from recsparse.models.protocol.needs import Needs, unmet
from recsparse.models.protocol.recommender import Recommender, check_interactions
from recsparse.models.protocol.score_vectors import ScoresByVectors
from recsparse.models.protocol.stored_arrays import stored_tensor


class Popularity(Recommender, ScoresByVectors):
    """Scores an item by its share of all weights, the same for every user."""

    kind: ClassVar[str] = "popularity"
    config: PopularityConfig

    @override
    def needs(self) -> Needs:
        return {} if self.config.recent_days is None else {"times": "recent_days"}

    @override
    def fit(self, interactions: csr_matrix, context: FitContext = PLAIN) -> "Popularity":
        """Add up each item's weights.

        Args:
            interactions: Users × items, positive weights.
            context: The times, used where `recent_days` is set.

        Returns:
            The model itself.

        Raises:
            InputError: If times are needed and there are none.
        """
        interactions = check_interactions(interactions)
        if self.config.recent_days is not None:
            times = context.times
            interactions = _recent(interactions, times, self.config.recent_days)
        totals = column_sums(interactions)
        self.shares = torch.from_numpy(totals / totals.sum()).float()
        self.num_items = len(self.shares)
        return self

    @override
    def score_batch(
        self, history: csr_matrix, times: csr_matrix | None = None
    ) -> Float[Tensor, "b m"]:
        """The same row of shares for each user."""
        num_rows = self._checked_history(history).shape[0]
        return self.shares.repeat(num_rows, 1)

    @override
    def user_vectors(
        self, history: csr_matrix, times: csr_matrix | None = None, users: Features | None = None
    ) -> Float[Tensor, "b 1"]:
        """1 for each user."""
        return torch.ones(self._checked_history(history).shape[0], 1)

    @override
    def item_vectors(self) -> Float[Tensor, "m 1"]:
        """The share of each item."""
        return self.shares.unsqueeze(1)

    @override
    def state(self) -> dict[str, Tensor]:
        """Return the shares."""
        return {"shares": self.shares}

    @classmethod
    @override
    def from_state(cls, config: PopularityConfig, state: Mapping[str, Tensor]) -> "Popularity":
        model = cls(config)
        model.shares = stored_tensor(state, "shares", None)
        model.num_items = len(model.shares)
        return model


def _recent(interactions: csr_matrix, times: csr_matrix | None, days: float) -> csr_matrix:
    # Those of the last days before the last one.
    times = times_of_cells(interactions, times)
    if times is None:
        raise InputError(unmet("times", Popularity.kind, "recent_days", "there is none"))
    recent = times.data >= times.data.max() - days * SECONDS_A_DAY
    return csr_matrix(
        (interactions.data * recent, interactions.indices, interactions.indptr),
        shape=interactions.shape,
    )
