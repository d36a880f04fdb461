"""Items without a history: models that score them by their features alone."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.models.protocol.features import Features


class ColdScorer(ABC):
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
