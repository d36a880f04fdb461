"""What a blend says of items through its parts: which are alike."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from recsparse.errors import InputError
from recsparse.models.blend.weights import standardised
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.similar_items import HasSimilarItems


class BlendedParts(HasSimilarItems):
    """A blend, in what it says of items.

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


def _without_own(
    similarities: Float[Tensor, "n m"], items: NDArray[np.int64]
) -> Float[Tensor, "n m"]:
    """Give each item, in its own row, the mean of the others, which then decide alone."""
    own = torch.from_numpy(items).unsqueeze(1)
    others = similarities.sum(dim=1, keepdim=True) - similarities.gather(1, own)
    return similarities.scatter(1, own, others / max(similarities.shape[1] - 1, 1))
