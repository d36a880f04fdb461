"""The network of SparseGridRecommender: ridge pooling of a row's active cells, then an MLP."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from typing_extensions import override

from recsparse.config.network_models import SparseGridConfig
from recsparse.layers.activation import SparseGELU
from recsparse.layers.attention_pool import AttentionPool
from recsparse.layers.axis import AxisConv2d
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.dropout import Dropout
from recsparse.layers.norm import SparseLayerNorm
from recsparse.layers.pool import RidgePool
from recsparse.layers.residual import ResidualBlock
from recsparse.layers.sequential import SparseSequential
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.protocol.objective import RowNetwork
from recsparse.sparse.pooling import axis_pool
from recsparse.sparse.tensor import SparseTensor


class SparseGridNetwork(RowNetwork):
    """Scores of all items from the active cells of some users' rows.

    A row's cells are pooled by a ridge regression onto the item vectors,
    `p_u = (sum_i w_i h_i h_i^T + a V^T V + r (n_u + a m) I)^-1 sum_i w_i h_i`, where `h_i` is the
    vector of item i, `w_i` its learned weight times the cell's own, and `a`, `r` are learned. The
    scores are `s (p_u + MLP(p_u / |p_u|)) Q^T + b`. With an MLP that returns zero this is the user
    step of iALS (Rendle et al. 2021, https://arxiv.org/abs/2110.14037, section 2); the MLP learns
    what that linear map misses.

    Args:
        config: Sizes and starting values.
        item_vectors: The vectors `V`, (m, d); frozen, since training them gained nothing.
        features: Encodes the features of the items; None where none are read.
    """

    item_vectors: Tensor

    def __init__(
        self,
        config: SparseGridConfig,
        item_vectors: Float[Tensor, "m d"],
        features: FeatureEncoder | None = None,
    ) -> None:
        super().__init__()
        num_items, channels = item_vectors.shape
        self.register_buffer("item_vectors", item_vectors.clone())
        # Of a catalogue that is sampled from, a step touches few rows.
        self.output_vectors = nn.Embedding.from_pretrained(
            item_vectors.clone(), freeze=False, sparse=num_items > config.full_softmax_items
        )
        self.item_bias = nn.Parameter(torch.zeros(num_items))
        self.item_log_weight = nn.Parameter(torch.zeros(num_items))
        # Left open where the weights are read from a state all the same.
        self.ridge_pool = RidgePool(config.unobserved_weight or 1.0, config.regularisation)
        self.pooling = config.pooling
        self.attention = AttentionPool(channels, 1) if config.pooling == "attention" else None
        self.scale = nn.Parameter(torch.tensor(8.0))
        self.blocks = SparseSequential(
            *(_axis_block(channels) for _ in range(config.axis_blocks)),
            *(_window_block(channels, config.window) for _ in range(config.window_blocks)),
        )
        self.residual = _residual_network(channels, config)
        self.words = features

    def forward(self, cells: SparseTensor) -> Float[Tensor, "rows m"]:
        """Score every item for every row of the grid.

        Args:
            cells: One sample of spatial shape (rows, m) with the cell's weight as its one channel.

        Returns:
            Unnormalised log-probabilities; a row without cells gets the item biases.
        """
        items: Tensor = self.output_vectors.weight
        if self.words is not None:
            items = items + self.words()
        logits: Tensor = self.row_vectors(cells) @ items.T + self.item_bias
        return logits

    @override
    def row_vectors(self, cells: SparseTensor) -> Float[Tensor, "rows d"]:
        """One vector per row; what the network makes of zero for a row without cells."""
        pooled = self.pool(cells)
        # Rows without cells have no direction; the floor keeps them at zero.
        direction = pooled / pooled.norm(dim=1, keepdim=True).clamp(min=1e-6)
        vectors: Tensor = self.scale * (pooled + self.residual(direction))
        return vectors

    @override
    def items(self, which: Int[Tensor, " n"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        vectors: Tensor = self.output_vectors(which)
        if self.words is not None:
            vectors = vectors + self.words()[which]
        return vectors, self.item_bias[which]

    def pool(self, cells: SparseTensor) -> Float[Tensor, "rows d"]:
        """Make one vector of each row's cells, by a ridge regression where nothing else is set.

        Args:
            cells: The same as for `forward`.

        Returns:
            One vector per row; zero for a row without cells.
        """
        items = cells.coords[:, 2]
        x = self.blocks(cells.with_feats(self.item_vectors[items]))
        weights = self.item_log_weight[items].exp() * cells.feats[:, 0]
        if self.pooling == "ridge":
            pooled: Tensor = self.ridge_pool(x, weights, self.item_vectors)
            return pooled
        weighted = x.with_feats(x.feats * weights[:, None])
        if self.attention is not None:
            attended: Tensor = self.attention(weighted)[0]
            return attended
        return axis_pool(weighted, (0,), "mean")


def _axis_block(channels: int) -> ResidualBlock:
    # The row alone: a column's mean would depend on which users share the batch.
    return ResidualBlock(
        SparseLayerNorm(channels), AxisConv2d(channels, channels, axes=("row",)), SparseGELU()
    )


def _window_block(channels: int, window: int) -> ResidualBlock:
    conv = SubmanifoldConv2d(channels, channels, (1, window))
    return ResidualBlock(SparseLayerNorm(channels), conv, SparseGELU())


def _residual_network(channels: int, config: SparseGridConfig) -> nn.Sequential:
    last = nn.Linear(config.hidden, channels)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.LayerNorm(channels),
        nn.Linear(channels, config.hidden),
        nn.GELU(),
        Dropout(config.dropout),
        last,
    )
