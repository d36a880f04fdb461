"""The network of RatingGrid: exchangeable layers on a row's ratings, pooled to a user vector."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from typing_extensions import override

from recsparse.config.rating_models import RatingGridConfig
from recsparse.layers.activation import SparseGELU
from recsparse.layers.axis import AxisConv2d
from recsparse.layers.norm import SparseLayerNorm
from recsparse.layers.residual import ResidualBlock
from recsparse.layers.sequential import SparseSequential
from recsparse.models.protocol.objective import Objective
from recsparse.sparse.scatter import scatter_sum
from recsparse.sparse.tensor import SparseTensor

# Channels of the cells that the network reads: the rating, and what it is above its item's mean.
RATING, ABOVE_ITEM = 0, 1


class RatingGridNetwork(nn.Module):
    """Predicts how far above its mean a user rates each item, from the active cells of the row.

    A cell starts from its rating, one-hot between `levels` steps, from what it is above the means
    of its item and its user, and from the features of its item. Residual blocks mix it with the
    mean of its row (the exchangeable layer of Hartford et al. 2018,
    https://arxiv.org/abs/1803.02879, of which the columns are left to the features, since a
    column's mean would depend on who shares the batch). The row's cells are summed up to a user
    vector, whose product with the item vectors, linear in the features, is the prediction.

    Args:
        config: Sizes.
        features: One row per item.
        limits: The lowest and the highest rating.
    """

    features: Tensor
    steps: Tensor

    def __init__(
        self, config: RatingGridConfig, features: Float[Tensor, "m f"], limits: tuple[float, float]
    ) -> None:
        super().__init__()
        channels, num_features = config.channels, features.shape[1]
        self.shrinkage = config.bias.user_shrinkage
        self.register_buffer("features", features.float())
        self.register_buffer("steps", torch.linspace(*limits, config.levels))
        self.of_rating = nn.Linear(config.levels + 1, channels)
        self.of_item = nn.Linear(num_features, 2 * channels)
        self.blocks = SparseSequential(*(_block(channels) for _ in range(config.blocks)))
        last = nn.Linear(config.hidden, channels + 1)
        self.to_user = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.LayerNorm(channels),
            nn.Linear(channels, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            last,
        )
        self.to_item = nn.Linear(num_features, channels + 1)
        # At first every user gets the mean of the row.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, cells: SparseTensor) -> tuple[Float[Tensor, "rows d"], Float[Tensor, "m d"]]:
        """Return vectors whose products are the predictions.

        Args:
            cells: One sample of shape (rows, items); channels `RATING` and `ABOVE_ITEM`, of which
                the second is in units of its standard deviation.

        Returns:
            One vector per row, and one per item.
        """
        (rows, _), row = cells.spatial_shape, cells.coords[:, 1].contiguous()
        count = torch.bincount(row, minlength=rows).unsqueeze(1).to(cells.feats.dtype)
        above_item = cells.feats[:, ABOVE_ITEM].unsqueeze(1)
        user = scatter_sum(above_item, row, rows) / (count + self.shrinkage).clamp(min=1e-6)
        x = self.blocks(cells.with_feats(self._embedded(cells, above_item - user[row])))
        pooled = scatter_sum(x.feats, row, rows) * count.sqrt() / (count + self.shrinkage + 1e-6)
        vector, own = self.to_user(pooled).split([pooled.shape[1], 1], dim=1)
        of_item, offset = self.to_item(self.features).split([pooled.shape[1], 1], dim=1)
        ones = torch.ones_like
        users = torch.cat([vector, user + own, ones(own)], dim=1)
        return users, torch.cat([of_item, ones(offset), offset], dim=1)

    def _embedded(self, cells: SparseTensor, above_both: Tensor) -> Float[Tensor, "n c"]:
        step = (self.steps[1] - self.steps[0]).clamp(min=1e-6)
        distance = (cells.feats[:, RATING].unsqueeze(1) - self.steps).abs() / step
        levels = (1 - distance).clamp(min=0)
        item = self.of_item(self.features).index_select(0, cells.coords[:, 2])
        shift, slope = item.chunk(2, dim=1)
        rating: Tensor = self.of_rating(torch.cat([levels, above_both], dim=1))
        return rating + shift + slope * above_both


@dataclass(frozen=True, eq=False)
class TrainingRatings:
    """Ratings with what the network reads of them, in three matrices of the same cells.

    Attributes:
        ratings: Users × items, the ratings.
        above_item: What each is above the mean of its item, in units of its standard deviation.
        target: The same with a mean of the item that the rating itself has no part in.
    """

    ratings: csr_matrix
    above_item: csr_matrix
    target: csr_matrix


class HiddenRatings(Objective):
    """Hides a share of each row's ratings and has the network predict them.

    Args:
        network: Maps the cells that are left to vectors of rows and items.
        data: The ratings.
        config: The share, and how the network is trained.
    """

    def __init__(
        self, network: RatingGridNetwork, data: TrainingRatings, config: RatingGridConfig
    ) -> None:
        super().__init__(network, data.ratings.getnnz(axis=1).nonzero()[0], config.training)
        self.data, self.share = data, config.cell_dropout

    @override
    def batch(self, rows: list[int]) -> SparseTensor:
        """Return some rows as a grid."""
        data = self.data
        return rating_cells(data.ratings[rows], data.above_item[rows], data.target[rows])

    @override
    def loss(self, batch: SparseTensor) -> Tensor:
        """Return the mean squared error of the hidden cells."""
        hidden = torch.rand(len(batch.feats), device=batch.feats.device) < self.share
        kept = SparseTensor(batch.grid.select(~hidden), batch.feats[~hidden, :2])
        users, items = self.network(kept)
        row, item = batch.coords[hidden, 1], batch.coords[hidden, 2]
        found = (users.index_select(0, row) * items.index_select(0, item)).sum(dim=1)
        return (found - batch.feats[hidden, 2]).square().sum() / hidden.sum().clamp(min=1)


def rating_cells(ratings: csr_matrix, *channels: csr_matrix) -> SparseTensor:
    """Lay ratings out as a grid.

    Args:
        ratings: Rows × items, sorted, each cell once.
        *channels: More of the same cells.

    Returns:
        One sample of shape (rows, items), one channel a matrix.
    """
    cells = SparseTensor.from_scipy(ratings)
    values = np.stack([matrix.data for matrix in (ratings, *channels)], axis=1)
    return cells.with_feats(torch.from_numpy(values.astype(np.float32)))


def _block(channels: int) -> ResidualBlock:
    return ResidualBlock(
        SparseLayerNorm(channels), AxisConv2d(channels, channels, axes=("row",)), SparseGELU()
    )
