"""SampledNegatives: targets ranked among a few random items, which is fast, usual and biased."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError

BIAS = (
    "each user's targets among {number:,} random items, not the whole catalogue: figures are "
    "higher, and may order models otherwise (Krichene & Rendle 2020, On sampled metrics for item "
    "recommendation, KDD)"
)


@dataclass(frozen=True)
class SampledNegatives:
    """Which items a user's targets are ranked among.

    Attributes:
        number: Random items per list, without those of the history and the targets; all that there
            are where there are fewer.
        seed: Of the draw. Models of one catalogue get the same items.
    """

    number: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the number.

        Raises:
            InputError: If it is below 1.
        """
        if self.number < 1:
            raise InputError(f"sampled negatives must be at least 1, but are {self.number}")

    @property
    def bias(self) -> str:
        """What to say beside figures that were measured so."""
        return BIAS.format(number=self.number)

    def scores(
        self,
        scores: Float[Tensor, "b m"],
        history: csr_matrix,
        targets: csr_matrix,
        candidates: NDArray[np.bool_],
        first: int,
    ) -> Float[Tensor, "b m"]:
        """Leave the scores of targets and of random items.

        Args:
            scores: One row per list.
            history: One row per list.
            targets: One row per list, perhaps with further columns.
            candidates: Which items may be ranked.
            first: Number of the first list among all, by which items are drawn.

        Returns:
            A new tensor, −inf for all other items.
        """
        left = scores.new_full(scores.shape, -np.inf)
        for row in range(len(scores)):
            wanted = targets.indices[targets.indptr[row] : targets.indptr[row + 1]]
            wanted = wanted[wanted < scores.shape[1]]
            is_other = candidates.copy()
            is_other[history.indices[history.indptr[row] : history.indptr[row + 1]]] = False
            is_other[wanted] = False
            others = np.flatnonzero(is_other)
            rng = np.random.default_rng([self.seed, first + row])
            drawn = rng.choice(others, min(self.number, len(others)), replace=False)
            ranked = np.concatenate([wanted, drawn])
            left[row, ranked] = scores[row, ranked]
        return left
