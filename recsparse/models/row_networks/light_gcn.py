"""LightGCN: vectors of users and items, smoothed along the edges between them."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix, diags_array
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from typing_extensions import override

from recsparse.config.network_models import LightGCNConfig
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.row_networks.pairwise import PairwiseNetwork, PairwiseRecommender, Tables


class LightGCN(PairwiseRecommender):
    """Light graph convolution (He et al. 2020, https://arxiv.org/abs/2002.02126, section 3.1).

    Layer k + 1 of a user is the sum of layer k of the row's items over `sqrt(d_u d_i)`, and that of
    an item the sum of its users' likewise; a vector is the mean of its layers.
    """

    kind: ClassVar[str] = "light_gcn"
    config: LightGCNConfig

    @override
    def _new_network(
        self, interactions: csr_matrix, features: FeatureEncoder | None
    ) -> PairwiseNetwork:
        return LightGCNNetwork(self.config, interactions, features)


class LightGCNNetwork(PairwiseNetwork):
    """Vectors of users and items, and the edges that they are smoothed along.

    Args:
        config: Sizes.
        interactions: Users × items.
        features: Encodes the features of the items; None where none are read.
    """

    def __init__(
        self,
        config: LightGCNConfig,
        interactions: csr_matrix,
        features: FeatureEncoder | None = None,
    ) -> None:
        num_users, num_items = interactions.shape
        super().__init__(num_users, num_items, config.channels, features)
        self.layers = config.layers
        by_user = np.maximum(np.asarray(interactions.sum(axis=1)).ravel(), 1e-12)
        by_item = np.maximum(column_sums(interactions).astype(np.float32), 1e-12)
        edges = csr_matrix(diags_array(by_user**-0.5) @ interactions @ diags_array(by_item**-0.5))
        self.to_users, self.to_items = Edges(edges), Edges(edges.T.tocsr())

    def tables(self) -> Tables:
        """Propagate the vectors along the edges.

        Returns:
            The mean of the layers of all users and items; no bias.
        """
        users: Tensor = self.users
        items = self.item_vectors()
        of_users, of_items = users, items
        for _ in range(self.layers):
            of_users, of_items = (
                _along(self.to_users, self.to_items, of_items),
                _along(self.to_items, self.to_users, of_users),
            )
            users, items = users + of_users, items + of_items
        count = self.layers + 1
        return Tables(users / count, items / count, items.new_zeros(len(items)))


class Edges(nn.Module):
    """Weighted edges, as a sparse matrix from one side to the other.

    Args:
        matrix: To × from.
    """

    column: Tensor
    row_ptr: Tensor
    weight: Tensor

    def __init__(self, matrix: csr_matrix) -> None:
        super().__init__()
        # No parts of the state: the log has them.
        for name, values in (
            ("column", matrix.indices.astype(np.int64)),
            ("row_ptr", matrix.indptr.astype(np.int64)),
            ("weight", matrix.data.astype(np.float32)),
        ):
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def forward(self, vectors: Float[Tensor, "from d"]) -> Float[Tensor, "to d"]:
        """Sum the vectors at the other ends.

        Args:
            vectors: One a node on the other side.

        Returns:
            One a node on this side.
        """
        # It reads the rows and adds them, without laying them out edge by edge.
        summed: Tensor = nn.functional.embedding_bag(
            self.column, vectors, self.row_ptr, mode="sum",
            per_sample_weights=self.weight, include_last_offset=True,
        )  # fmt: skip
        return summed


class _Propagate(torch.autograd.Function):
    """A sum along edges, whose gradient is the sum along the reversed ones."""

    @staticmethod
    def forward(ctx: Any, edges: Edges, reversed_edges: Edges, vectors: Tensor) -> Tensor:
        ctx.reversed_edges = reversed_edges
        summed: Tensor = edges(vectors)
        return summed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.reversed_edges(grad.contiguous())


def _along(edges: Edges, reversed_edges: Edges, vectors: Tensor) -> Tensor:
    summed: Tensor = _Propagate.apply(  # type: ignore[no-untyped-call]
        edges, reversed_edges, vectors
    )
    return summed
