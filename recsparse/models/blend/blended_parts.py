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
from recsparse.models.content.new_items import no_reader
from recsparse.models.protocol.cold_scorer import mean_and_deviation
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.reasons import (
    Contributions,
    HasReasons,
    HasReasonsForUsers,
    blended,
    contributions_of,
)
from recsparse.models.protocol.reasons_of_new import HasReasonsForNew
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.similar_items import HasSimilarItems
from recsparse.models.protocol.user_reader import scores_of


class BlendedParts(HasSimilarItems, HasReasonsForUsers, HasReasonsForNew):
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
        total, said = torch.zeros(history.shape), []
        users = self.users_of_parts(users)
        for part, weight in parts:
            scores = scores_of(part, history, times, users)
            mean, deviation, is_spread = mean_and_deviation(scores)
            slope = torch.where(is_spread, 1 / deviation, 0.0)
            total.add_(slope * (scores - mean), alpha=weight)
            if isinstance(part, HasReasons):
                own = contributions_of(part, history, times, listed, users)
            else:
                own = Contributions.unexplained(scores.gather(1, listed), history.nnz)
            said.append((own.on_line(history, -slope * mean, slope), weight))
        return self.reasons_with_prior(blended(said, history), total, listed, history, users)

    def contributions_to_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
    ) -> Contributions:
        """The weighted sums of what the parts that read features say, in deviations of each."""
        return self.contributions_with_new(history, times, listed, items)

    def contributions_with_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        listed: Int[Tensor, "b k"],
        items: Features,
        users: Features | None = None,
    ) -> Contributions:
        """Return the weighted sums of what the parts that read features say of new items.

        Args:
            history: One row of interactions per user.
            times: The time of each interaction.
            listed: The items to explain, places among the new ones.
            items: Features of the new items.
            users: Features of the users.

        Returns:
            What the scores of new items are the sum of. Explained is the fraction of parts that are
            such sums, in absolute size.

        Raises:
            InputError: If no part that counts on new items reads features of items.
        """
        said, users = [], self.users_of_parts(users)
        for part, weight in self.weighted_readers():
            if weight and isinstance(part, HasReasonsForNew):
                own = part.contributions_with_new(history, times, listed, items, users)
                said.append((own, weight))
            elif weight:
                _, scores = part.score_with_new(history, times, items, users)
                own = Contributions.unexplained(scores.gather(1, listed), history.nnz)
                said.append((own, weight))
        if not said:
            raise InputError(no_reader(self))
        return blended(said, history)


def _without_own(
    similarities: Float[Tensor, "n m"], items: NDArray[np.int64]
) -> Float[Tensor, "n m"]:
    """Give each item, in its own row, the mean of the others, which then decide alone."""
    own = torch.from_numpy(items).unsqueeze(1)
    others = similarities.sum(dim=1, keepdim=True) - similarities.gather(1, own)
    return similarities.scatter(1, own, others / max(similarities.shape[1] - 1, 1))
