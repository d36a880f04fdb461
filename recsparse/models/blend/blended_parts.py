"""What a blend says through its parts: which items are alike, and what brought a score."""

from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError
from recsparse.models.blend.weights import standardised
from recsparse.models.protocol.cold_scorer import mean_and_deviation
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.reasons import (
    Contributions,
    HasReasons,
    HasReasonsForUsers,
    contributions_of,
    rows_of_cells,
)
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.user_reader import scores_of


class BlendedParts(HasSimilarItems, HasReasonsForUsers):
    """A blend, in what it says of items and reasons.

    Attributes:
        parts: The fitted parts.
        weights: What each counts.
    """

    parts: list[Recommender]
    weights: list[float]

    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """Return the weighted sums of the parts' standardised similarities.

        Those of an item to all others are brought to mean 0 and standard deviation 1, as scores
        are; parts that know of no similarity are left out.

        Args:
            items: Indices.

        Returns:
            One row per item; 0 is what the average item has.

        Raises:
            InputError: If no part that counts has similarities.
        """
        total: Tensor | None = None
        for part, weight in zip(self.parts, self.weights, strict=True):
            if weight and isinstance(part, HasSimilarItems):
                own = weight * standardised(_without_own(part.similarities(items), items))
                total = own if total is None else total.add_(own)
        if total is None:
            raise InputError(
                "a blend says which items are alike by parts that have vectors, neighbours or "
                f"features of items, but has only {[part.kind for part in self.parts]}; name such "
                "a part in model.parts, as ials"
            )
        return total

    @abstractmethod
    def users_of_parts(self, users: Features | None) -> Features | None:
        """Leave the features of users that the parts may read."""

    @abstractmethod
    def reasons_with_prior(
        self,
        found: Contributions,
        scores: Float[Tensor, "b m"],
        listed: Int[Tensor, "b k"],
        history: csr_matrix,
        users: Features | None,
    ) -> Contributions:
        """Bring what the parts say to scores in which features of the users count alone, too."""

    def contributions_for_users(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        users: Features | None,
    ) -> Contributions:
        """Return the weighted sums of what the parts say, in units of the user's deviations.

        A part with weight w, whose scores of a user have mean m and deviation d over the items,
        adds `w (s - m) / d` to the score. If its own score s is a sum over the history, each term
        counts `w / d` times; what other parts add, and `-w m / d`, is part of the rest.

        Args:
            history: One row of interactions per user.
            times: The time of each interaction.
            listed: The items to explain.
            users: Features of the users, which parts may read that are no such sums.

        Returns:
            The contributions. Explained is the fraction that parts which are sums have in what the
            parts add to the score, in absolute size.

        Raises:
            InputError: If no part that counts has scores that are sums.
        """
        parts = [pair for pair in zip(self.parts, self.weights, strict=True) if pair[1]]
        if not any(isinstance(part, HasReasons) for part, _ in parts):
            raise InputError(
                "a blend gives reasons by parts whose scores are sums over the history, but has "
                f"only {[part.kind for part in self.parts]}; name such a part in model.parts, as "
                "ease"
            )
        cells, total = torch.zeros(history.nnz, listed.shape[1]), torch.zeros(history.shape)
        rest, explained, size = (torch.zeros(listed.shape) for _ in range(3))
        row, users = rows_of_cells(history), self.users_of_parts(users)
        for part, weight in parts:
            scores = scores_of(part, history, times, users)
            mean, deviation, is_spread = mean_and_deviation(scores)
            slope = torch.where(is_spread, weight / deviation, 0.0)
            total.add_(slope * (scores - mean))
            added = slope * (scores.gather(1, listed) - mean)
            size += added.abs()
            if isinstance(part, HasReasons):
                own = contributions_of(part, history, times, listed, users)
                cells += slope[row] * own.cells
                rest += slope * (own.rest - mean)
                explained += added.abs() * own.explained
            else:
                rest += added
        found = Contributions(cells, rest, explained / size.clamp(min=1e-30))
        return self.reasons_with_prior(found, total, listed, history, users)


def _without_own(
    similarities: Float[Tensor, "n m"], items: NDArray[np.int64]
) -> Float[Tensor, "n m"]:
    """Give each item, in its own row, the mean of the others, which then decide alone."""
    own = torch.from_numpy(items).unsqueeze(1)
    others = similarities.sum(dim=1, keepdim=True) - similarities.gather(1, own)
    return similarities.scatter(1, own, others / max(similarities.shape[1] - 1, 1))
