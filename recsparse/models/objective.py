"""Objectives: what a network is trained on, batch by batch, and the loss of a batch."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from recsparse.models.losses import masked_softmax_loss
from recsparse.network_config import TrainingConfig
from recsparse.sparse.tensor import SparseTensor


class Objective(ABC):
    """A network together with its training rows and its loss.

    Args:
        network: The network to train.
        rows: Numbers of the rows that hold anything to learn from.
        training: Settings of its training; None for those of the configuration's `training`.

    Attributes:
        name: Tells the networks of one model apart; empty where there is but one.
        quality_name: What the validation quality of the network is called in the metrics.
    """

    name = ""
    quality_name: ClassVar[str] = "validation_ndcg"

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


class HiddenCells(Objective):
    """Hides a share of each row's cells and has the network rank them first.

    Args:
        network: Maps the kept cells, a grid of shape (rows, items), to scores of all items.
        interactions: Users × items.
        share: Share of the cells that are hidden.
        training: Settings of its training; None for those of the configuration's `training`.
    """

    def __init__(
        self,
        network: nn.Module,
        interactions: csr_matrix,
        share: float,
        training: TrainingConfig | None = None,
    ) -> None:
        super().__init__(network, interactions.getnnz(axis=1).nonzero()[0], training)
        self.interactions = interactions
        self.share = share

    def batch(self, rows: list[int]) -> SparseTensor:
        """Return some rows as a grid.

        Args:
            rows: Their numbers.

        Returns:
            One sample of shape (rows, items), one channel.
        """
        return SparseTensor.from_scipy(self.interactions[rows])

    def loss(self, batch: SparseTensor) -> Tensor:
        """Return the softmax cross-entropy of the hidden cells.

        Args:
            batch: The rows' cells.

        Returns:
            The loss.
        """
        hidden = torch.rand(len(batch.feats), device=batch.feats.device) < self.share
        kept = SparseTensor(batch.grid.select(~hidden), batch.feats[~hidden])
        return masked_softmax_loss(
            self.network(kept),
            kept=kept.coords[:, 1:],
            targets=batch.coords[hidden, 1:],
            weights=batch.feats[hidden, 0],
        )
