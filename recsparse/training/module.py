"""The Lightning module and data of networks that predict a user's hidden cells."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from recsparse.config import TrainingConfig
from recsparse.sparse.tensor import SparseTensor
from recsparse.training.losses import masked_softmax_loss

VALIDATION_METRIC = "validation_ndcg"
LOSS_METRIC = "train_loss"


class HiddenCellsModule(pl.LightningModule):
    """Hides a share of each row's cells and trains the network to rank them first.

    Args:
        network: Maps the kept cells, a grid of shape (rows, items), to scores of all items.
        config: Learning rate, epochs and weight decay.
        cell_dropout: Share of the cells that are hidden.
        validate: Returns the quality of the network as it is now; called after each epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        config: TrainingConfig,
        cell_dropout: float,
        validate: Callable[[], float] | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.training_config = config
        self.cell_dropout = cell_dropout
        self.validate = validate

    def training_step(self, cells: SparseTensor, batch_index: int) -> Tensor:
        """Return the loss of one batch of rows.

        Args:
            cells: The rows' cells.
            batch_index: Number of the batch, unused.

        Returns:
            The loss.
        """
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


class _Rows(Dataset[int]):
    """The numbers of the rows that hold any cell."""

    def __init__(self, interactions: csr_matrix) -> None:
        self.rows = interactions.getnnz(axis=1).nonzero()[0]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> int:
        return int(self.rows[position])


def row_batches(interactions: csr_matrix, batch_rows: int, seed: int) -> DataLoader[int]:
    """Return shuffled batches of rows as grids of cells.

    Args:
        interactions: Users × items.
        batch_rows: Rows a batch.
        seed: Of the shuffle.

    Returns:
        A loader of SparseTensors of shape (rows, items), one sample, one channel.
    """
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        _Rows(interactions),
        batch_size=batch_rows,
        shuffle=True,
        generator=generator,
        collate_fn=lambda rows: SparseTensor.from_scipy(interactions[rows]),
    )
