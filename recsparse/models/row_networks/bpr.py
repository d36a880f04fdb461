"""BPR: factors of users and items, trained to rank pairs of items."""

from typing import ClassVar

import torch
from scipy.sparse import csr_matrix
from torch import nn

from recsparse.config.network_models import BPRConfig
from recsparse.models.row_networks.pairwise import PairwiseNetwork, PairwiseRecommender, Tables


class BPR(PairwiseRecommender):
    """Bayesian personalised ranking (Rendle et al. 2009, https://arxiv.org/abs/1205.2618).

    Matrix factorisation with a bias an item, trained on pairs of an item of the row and one drawn
    from the others (section 4).
    """

    kind: ClassVar[str] = "bpr"
    config: BPRConfig

    def _new_network(self, interactions: csr_matrix) -> PairwiseNetwork:
        num_users, num_items = interactions.shape
        return Factors(num_users, num_items, self.config.channels)


class Factors(PairwiseNetwork):
    """Vectors of users and items, and one bias per item.

    Args:
        num_users: Number of users.
        num_items: Number of items.
        channels: Length of the vectors.
    """

    def __init__(self, num_users: int, num_items: int, channels: int) -> None:
        super().__init__()
        self.users = nn.Parameter(torch.randn(num_users, channels) * 0.1)
        self.items = nn.Parameter(torch.randn(num_items, channels) * 0.1)
        self.bias = nn.Parameter(torch.zeros(num_items))

    def tables(self) -> Tables:
        """Return the vectors as they are now.

        Returns:
            Of all users and items.
        """
        return Tables(self.users, self.items, self.bias)
