"""Items without a history: models that score them by their words alone."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.sparse.tensor import SparseTensor


class ColdScorer(ABC):
    """A fitted model that scores items that its fit did not know."""

    @abstractmethod
    def score_cold(
        self, history: csr_matrix, times: csr_matrix | None, words: SparseTensor
    ) -> Float[Tensor, "b cold"]:
        """Score items by their words.

        Args:
            history: One row of interactions per user, in the item order of the fit.
            times: The time of each interaction, for models that use it.
            words: One bag of words per item to score, of the fit's vocabulary.

        Returns:
            One row per user, float32, on the CPU; the larger the better.
        """
