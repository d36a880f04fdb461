"""Items without a history: models that score them by their features alone."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.user_reader import scores_of


class ColdScorer(FittedModel):
    """A fitted model that scores items that its fit did not know."""

    @abstractmethod
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, items: Features
    ) -> Float[Tensor, "b cold"]:
        """Score items by their features.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            items: Features of the items to score, of the same groups and columns as at the fit.

        Returns:
            One row per user, float32, on the CPU; the larger the better.
        """

    def score_with_new(
        self,
        history: csr_matrix,
        times: csr_matrix | None,
        items: Features,
        users: Features | None = None,
    ) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b new"]]:
        """Score the items of the fit and new ones.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            items: Features of the new items, of the same groups and columns as at the fit.
            users: Features of the users, for models that read some; None where none are known.

        Returns:
            The scores of the items of the fit, as `scores_of` gives them, and those of the new
            ones in deviations of the user's own scores of the known items from their mean. A new
            item's score does not depend on what other new items there are.
        """
        known = scores_of(self, history, times, users)
        return known, in_deviations(self.score_cold(history, times, items), known)

    def readers(self) -> "list[ColdScorer]":
        """Return the parts of the model that read features of new items: itself, where it has none.

        Returns:
            The parts.
        """
        return [self]

    def weighted_readers(self) -> "list[tuple[ColdScorer, float]]":
        """Return the parts that read features of new items, and what each counts on them."""
        return [(reader, 1.0) for reader in self.readers()]

    def weigh_readers(self, weights: Sequence[float]) -> None:
        """Set what each of several readers counts on new items.

        Args:
            weights: Of the readers, none negative.
        """


def in_deviations(
    scores: Float[Tensor, "b n"], known: Float[Tensor, "b m"]
) -> Float[Tensor, "b n"]:
    """Bring scores to the scale of each user's scores of the known items.

    Args:
        scores: Of new items.
        known: Of known items, in the same unit.

    Returns:
        The distance from the mean of the known ones over their deviation; 0 where all of a user's
        scores of known items are equal.
    """
    centre, spread, is_spread = mean_and_deviation(known)
    return torch.where(is_spread, (scores - centre) / spread, 0.0)


def mean_and_deviation(
    scores: Float[Tensor, "b m"],
) -> tuple[Float[Tensor, "b 1"], Float[Tensor, "b 1"], Tensor]:
    """Return the mean and the standard deviation of each row.

    Args:
        scores: One row per user.

    Returns:
        Means, deviations (at least 1e-30), and whether there is any spread: what rounding leaves of
        equal scores is none.
    """
    centre = scores.mean(dim=1, keepdim=True)
    spread = (scores - centre).square().mean(dim=1, keepdim=True).sqrt()
    floor = 1e-6 * scores.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
    return centre, spread.clamp(min=1e-30), spread > floor
