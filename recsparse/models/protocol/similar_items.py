"""Similar items: fitted models that say how alike items are."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


class HasSimilarItems(ABC):
    """A fitted model that knows how alike two items of its fit are."""

    @abstractmethod
    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """Say how alike some items are to all items of the fit.

        Args:
            items: Indices.

        Returns:
            One row per item, float32, on the CPU: the larger, the more alike; 0 where two items
            have nothing in common. What an item is to itself counts nowhere.
        """


class HasItemVectors(HasSimilarItems):
    """A fitted model with one vector per item; items are alike as the angle of these is small."""

    @abstractmethod
    def vectors_of_items(self) -> Float[Tensor, "m d"]:
        """Return the vectors that items are scored by.

        Returns:
            One per item of the fit, float32, on the CPU.
        """

    def similarities(self, items: NDArray[np.int64]) -> Float[Tensor, "n m"]:
        """Return the cosines of the items' vectors, as Sarwar et al. 2001, section 3.1.1.

        https://doi.org/10.1145/371920.372071; the lengths, which are larger for popular items, do
        not count.

        Args:
            items: Indices.

        Returns:
            One row per item, from −1 to 1; 0 for a vector of zeros.
        """
        vectors = torch.nn.functional.normalize(self.vectors_of_items(), eps=1e-30)
        return vectors[torch.from_numpy(items)] @ vectors.T
