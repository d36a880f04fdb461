"""BPR: factors of users and items, trained to rank pairs of items."""

from typing import ClassVar

import torch
from scipy.sparse import csr_matrix
from torch import nn
from typing_extensions import override

from recsparse.config.network_models import BPRConfig
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.row_networks.pairwise import PairwiseNetwork, PairwiseRecommender, Tables


class BPR(PairwiseRecommender):
    """Bayesian personalised ranking (Rendle et al. 2009, https://arxiv.org/abs/1205.2618).

    Matrix factorisation with a bias an item, trained on pairs of an item of the row and one drawn
    from the others (section 4).
    """

    kind: ClassVar[str] = "bpr"
    config: BPRConfig

    @override
    def _new_network(
        self, interactions: csr_matrix, features: FeatureEncoder | None
    ) -> PairwiseNetwork:
        num_users, num_items = interactions.shape
        return Factors(num_users, num_items, self.config.channels, features)


class Factors(PairwiseNetwork):
    """Vectors of users and items, and one bias per item."""

    def __init__(
        self, num_users: int, num_items: int, channels: int, features: FeatureEncoder | None = None
    ) -> None:
        super().__init__(num_users, num_items, channels, features)
        self.bias = nn.Parameter(torch.zeros(num_items))

    @override
    def tables(self) -> Tables:
        return Tables(self.users, self.item_vectors(), self.bias)
