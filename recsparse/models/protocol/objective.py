"""Objectives: what a network is trained on, batch by batch, and the loss of a batch."""

from abc import ABC, abstractmethod
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from typing_extensions import override

from recsparse.config.network_models import SparseGridConfig, TextTowerConfig
from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.losses import masked_softmax_loss
from recsparse.models.protocol.negatives import Negatives, negatives_where_large
from recsparse.models.protocol.own_loss import OwnLoss, own_loss
from recsparse.sparse.tensor import SparseTensor


class Objective(ABC):
    """A network together with its training rows and its loss.

    Args:
        network: The network to train.
        rows: Numbers of the rows that hold anything to learn from.
        training: Settings of its training; None for those of the configuration's `training`.
    """

    def __init__(
        self, network: nn.Module, rows: np.ndarray, training: TrainingConfig | None = None
    ) -> None:
        self.network = network
        self.rows = rows
        self.training = training

    @abstractmethod
    def batch(self, rows: list[int]) -> Any:
        """Gather some rows.

        Args:
            rows: Their numbers.

        Returns:
            Tensors, sparse tensors, or a tuple of them, which the trainer moves to its device.
        """

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """Return the loss of a batch; random numbers come from torch's global generator.

        Args:
            batch: What `batch` returned.

        Returns:
            One number.
        """


class RowNetwork(nn.Module):
    """A network that makes a vector of each row of a grid, and scores items by their vectors."""

    @abstractmethod
    def row_vectors(self, cells: SparseTensor) -> Float[Tensor, "rows d"]:
        """Make a vector of each row's cells.

        Args:
            cells: One sample of shape (rows, items) with the weights as its one channel.

        Returns:
            One vector per row.
        """

    @abstractmethod
    def items(self, which: Int[Tensor, " n"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        """Return the vectors and biases of some items.

        Args:
            which: The items.

        Returns:
            One vector and one number per item; the score of an item is its vector's product with
            that of the row, plus its bias.
        """


class RowsOfMatrix(Objective):
    """Trains on the rows of a matrix that hold anything.

    Args:
        network: Reads a grid of shape (rows, items).
        interactions: Users × items.
        training: Settings of its training; None for those of the configuration's `training`.
    """

    def __init__(
        self,
        network: nn.Module,
        interactions: csr_matrix,
        training: TrainingConfig | None = None,
    ) -> None:
        super().__init__(network, interactions.getnnz(axis=1).nonzero()[0], training)
        self.interactions = interactions

    @override
    def batch(self, rows: list[int]) -> SparseTensor:
        """Return some rows as a grid."""
        return SparseTensor.from_scipy(self.interactions[rows])


class HiddenCells(RowsOfMatrix):
    """Hides a share of each row's cells and has the network rank them first.

    Args:
        network: Maps the kept cells, a grid of shape (rows, items), to scores of all items.
        interactions: Users × items.
        share: Share of the cells that are hidden.
        training: Settings of its training; None for those of the configuration's `training`.
        negatives: Draws the items that compete, for a `RowNetwork`; None has all of them compete.
        own: A loss of a user's own, in which no cell of the row competes; None for the softmax.
    """

    def __init__(
        self,
        network: nn.Module,
        interactions: csr_matrix,
        share: float,
        training: TrainingConfig | None = None,
        negatives: Negatives | None = None,
        own: OwnLoss | None = None,
    ) -> None:
        super().__init__(network, interactions, training)
        self.share = share
        self.negatives = negatives
        self.own = own

    @classmethod
    def configured(
        cls,
        network: "RowNetwork",
        interactions: csr_matrix,
        config: SparseGridConfig | TextTowerConfig,
    ) -> "HiddenCells":
        """Return the objective that a model's section says.

        Args:
            network: Maps kept cells to scores.
            interactions: Users × items.
            config: The share that is hidden, the loss, and how the network is trained.

        Returns:
            The objective.

        Raises:
            ConfigError: If the loss is one's own, and this process was not told of its module.
        """
        return cls(
            network,
            interactions,
            config.cell_dropout,
            config.training,
            negatives_where_large(interactions.getnnz(axis=0), config),
            own_loss(config.loss),
        )

    @override
    def loss(self, batch: SparseTensor) -> Tensor:
        """Return the softmax cross-entropy of the hidden cells, or their loss of one's own."""
        hidden = torch.rand(len(batch.feats), device=batch.feats.device) < self.share
        kept = SparseTensor(batch.grid.select(~hidden), batch.feats[~hidden])
        targets, weights = batch.coords[hidden, 1:], batch.feats[hidden, 0]
        if self.negatives is not None:
            return self._sampled(batch, kept, targets, weights, self.negatives)
        scores = self.network(kept)
        if self.own is not None:
            row, item = targets.unbind(dim=1)
            return self.own(scores, holds_items(batch), scores[row, item], row, weights)
        return masked_softmax_loss(scores, kept.coords[:, 1:], targets, weights)

    def _sampled(
        self,
        batch: SparseTensor,
        kept: SparseTensor,
        targets: Int[Tensor, "n 2"],
        weights: Float[Tensor, " n"],
        negatives: Negatives,
    ) -> Tensor:
        """Each hidden cell competes with the drawn items that its row does not hold."""
        network = cast(RowNetwork, self.network)
        rows = network.row_vectors(kept)
        drawn = negatives.draw(rows.device)
        row, item = targets.unbind(dim=1)
        vectors, bias = network.items(torch.cat([drawn, item]))
        count = len(drawn)
        scores = rows @ vectors[:count].T + bias[:count]
        positive = (rows[row] * vectors[count:]).sum(dim=1) + bias[count:]
        held = holds_items(batch, drawn)
        if self.own is not None:
            return self.own(scores, held, positive, row, weights)
        others = scores - negatives.log_expected(drawn)
        others = others.masked_fill(held, -torch.inf).logsumexp(dim=1)
        losses = nn.functional.softplus(others[row] - positive)
        return (losses * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def holds_items(
    cells: SparseTensor, items: Int[Tensor, " n"] | None = None
) -> Bool[Tensor, "rows n"]:
    """Say which rows of a grid have a cell of which items.

    Args:
        cells: One sample of shape (rows, items), sorted.
        items: The items; None for all of them.

    Returns:
        One row per row of the grid.

    Example:
        >>> cells = SparseTensor.from_scipy(csr_matrix(np.array([[1.0, 0.0, 2.0]])))
        >>> holds_items(cells).tolist(), holds_items(cells, torch.tensor([2, 2, 1])).tolist()
        ([[True, False, True]], [[True, True, False]])
    """
    num_rows, num_items = cells.spatial_shape
    row, item = cells.coords[:, 1], cells.coords[:, 2]
    if items is None:
        held = torch.zeros(num_rows, num_items, dtype=torch.bool, device=row.device)
        held[row, item] = True
        return held
    own = row * num_items + item
    wanted = torch.arange(num_rows, device=items.device)[:, None] * num_items + items
    place = torch.searchsorted(own, wanted).clamp(max=max(len(own) - 1, 0))
    return own[place] == wanted
