"""Negatives: items that are drawn in the place of a whole catalogue."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.config.network_models import SoftmaxConfig


class Negatives:
    """Draws items by how often they occur, for the softmax of a large catalogue.

    Args:
        counts: How often each item occurs.
        config: How many to draw, and by which power of the counts.
    """

    def __init__(self, counts: np.ndarray, config: SoftmaxConfig) -> None:
        share = torch.from_numpy((counts + 1.0) ** config.negatives_exponent)
        self.share = share / share.sum()
        self.count = min(config.negatives, len(counts))

    def draw(self, device: torch.device) -> Int[Tensor, " n"]:
        """Draw items.

        Args:
            device: Where they are needed.

        Returns:
            Items, some of them perhaps several times.
        """
        return torch.multinomial(self.share, self.count, replacement=True).to(device)

    def log_expected(self, items: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Return the logarithm of how often an item is expected among those drawn.

        A sampled softmax takes it off the scores of the negatives (Bengio and Senécal 2008,
        https://doi.org/10.1109/TNN.2007.912312; Yi et al. 2019,
        https://doi.org/10.1145/3298689.3346996, section 3).

        Args:
            items: Items.

        Returns:
            float32, one number per item.
        """
        share = self.share[items.cpu()].log() + math.log(self.count)
        return share.float().to(items.device)


def negatives_where_large(counts: np.ndarray, config: SoftmaxConfig) -> Negatives | None:
    """Return what draws negatives, where the catalogue is too large for a softmax over all items.

    Args:
        counts: How often each item occurs.
        config: From which size on.

    Returns:
        None where the softmax is over all items.
    """
    return Negatives(counts, config) if len(counts) > config.full_softmax_items else None
