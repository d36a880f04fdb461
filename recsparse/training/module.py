"""The Lightning module and data of networks that predict a user's hidden cells."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from recsparse.config import TrainingConfig
from recsparse.sparse.tensor import SparseTensor
from recsparse.training.losses import masked_softmax_loss

VALIDATION_METRIC = "validation_ndcg"
LOSS_METRIC = "train_loss"


class HiddenCellsModule(pl.LightningModule):
    """Hides a share of each row's cells and trains the network to rank them first.

    What is hidden and dropped out depends on the seed and the number of the step alone, so a
    training that is resumed after an epoch goes on as if it had never stopped.

    Args:
        network: Maps the kept cells, a grid of shape (rows, items), to scores of all items.
        config: Learning rate, epochs and weight decay.
        cell_dropout: Share of the cells that are hidden.
        validate: Returns the quality of the network as it is now; called after each epoch.
        seed: Of the hidden cells and of the network's dropout.
    """

    def __init__(
        self,
        network: nn.Module,
        config: TrainingConfig,
        cell_dropout: float,
        validate: Callable[[], float] | None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = network
        self.training_config = config
        self.cell_dropout = cell_dropout
        self.validate = validate
        self.seed = seed

    def training_step(self, cells: SparseTensor, batch_index: int) -> Tensor:
        """Return the loss of one batch of rows.

        Args:
            cells: The rows' cells.
            batch_index: Number of the batch, unused.

        Returns:
            The loss.
        """
        torch.manual_seed(_mixed(self.seed, self.global_step))
        hidden = torch.rand(len(cells.feats), device=cells.feats.device) < self.cell_dropout
        kept = SparseTensor(cells.grid.select(~hidden), cells.feats[~hidden])
        loss = masked_softmax_loss(
            self.network(kept),
            kept=kept.coords[:, 1:],
            targets=cells.coords[hidden, 1:],
            weights=cells.feats[hidden, 0],
        )
        self.log(LOSS_METRIC, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=1)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the validation quality of the network."""
        if self.validate is not None:
            self.network.eval()
            quality = self.validate()
            self.network.train()
            self.log(VALIDATION_METRIC, quality, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Return AdamW with a rate that falls along a cosine, step by step.

        Returns:
            Lightning's dictionary of optimiser and schedule.
        """
        config = self.training_config
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class _Rows(Dataset[SparseTensor]):
    """Any rows of a matrix as one grid."""

    def __init__(self, interactions: csr_matrix) -> None:
        self.interactions = interactions

    def __getitem__(self, rows: list[int]) -> SparseTensor:
        return SparseTensor.from_scipy(self.interactions[rows])


class _ShuffledBatches(Sampler[list[int]]):
    """The numbers of the rows that hold any cell, in an order of each epoch's own."""

    def __init__(self, interactions: csr_matrix, batch_rows: int, seed: int) -> None:
        self.rows = interactions.getnnz(axis=1).nonzero()[0]
        self.batch_rows = batch_rows
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_rows)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        shuffled = rng.permutation(self.rows)
        for start in range(0, len(shuffled), self.batch_rows):
            yield shuffled[start : start + self.batch_rows].tolist()


def row_batches(interactions: csr_matrix, batch_rows: int, seed: int) -> DataLoader[SparseTensor]:
    """Return shuffled batches of rows as grids of cells.

    Args:
        interactions: Users × items.
        batch_rows: Rows a batch.
        seed: Of the shuffle.

    Returns:
        A loader of SparseTensors of shape (rows, items), one sample, one channel.
    """
    batches = _ShuffledBatches(interactions, batch_rows, seed)
    return DataLoader(_Rows(interactions), sampler=batches, batch_size=None)


def _mixed(*numbers: int) -> int:
    """Return one seed for several numbers, so that neighbouring seeds share no stream."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
