"""The Lightning module that trains a network towards its objective, and its batches."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.validation import Judge
from recsparse.training.optimizer import network_optimizer

LOSS_METRIC = "train_loss"


class ObjectiveModule(pl.LightningModule):
    """Trains a network.

    What is drawn at random depends on the seed and the number of the step alone, so a training that
    is resumed after an epoch continues as if it had never stopped.

    Args:
        objective: The network, its rows and its loss.
        config: Learning rate, epochs and weight decay.
        judge: Tells how good the network is as it is now; asked after each epoch.
        seed: Of every random number.
    """

    def __init__(
        self,
        objective: Objective,
        config: TrainingConfig,
        judge: Judge | None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = objective.network
        self.objective = objective
        self.training_config = config
        self.judge = judge
        self.seed = seed

    @property
    def quality_name(self) -> str:
        """Name of the quality among the metrics; empty without a judge."""
        return "" if self.judge is None else self.judge.name

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        """Return the loss of one batch of rows.

        Args:
            batch: The rows.
            batch_index: Number of the batch, unused.

        Returns:
            The loss.

        Raises:
            InputError: If the loss is not finite; the state after the last epoch is kept.
        """
        _seed_draws(_mixed(self.seed, self.global_step), self.device)
        loss = self.objective.loss(batch)
        if not loss.isfinite():
            raise InputError(
                f"the loss must be finite, but is {loss.item()} at step {self.global_step} in "
                f"epoch {self.current_epoch}; most likely the learning rate of "
                f"{self.training_config.learning_rate} is too high, or weights of the log are "
                "very large; lower training.learning_rate and train again"
            )
        self.log(LOSS_METRIC, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=1)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the validation quality of the network."""
        if self.judge is not None:
            self.network.eval()
            quality = self.judge.quality()
            self.network.train()
            self.log(self.judge.name, quality, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Return an optimiser with a rate that falls along a cosine, step by step.

        Returns:
            Lightning's dictionary of optimiser and schedule.
        """
        optimizer = network_optimizer(self.network, self.training_config)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def _seed_draws(seed: int, device: torch.device) -> None:
    """Seed what is drawn on the CPU and on the device of the training.

    `torch.manual_seed` also keeps, for each kind of device that is absent or not in use yet, a text
    of the whole stack: a third of a millisecond at every step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


class _Batches(Dataset[Any]):
    """Any rows of an objective as one batch."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __getitem__(self, rows: list[int]) -> Any:
        return self.objective.batch(rows)


class _ShuffledRows(Sampler[list[int]]):
    """The numbers of the rows, in an order of each epoch's own."""

    def __init__(self, rows: np.ndarray, batch_rows: int, seed: int) -> None:
        self.rows = rows
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


def row_batches(objective: Objective, batch_rows: int, seed: int) -> DataLoader[Any]:
    """Return shuffled batches of rows.

    Args:
        objective: Gathers them.
        batch_rows: Rows per batch.
        seed: Of the shuffle.

    Returns:
        A loader of what the objective makes of them.
    """
    rows = _ShuffledRows(objective.rows, batch_rows, seed)
    return DataLoader(_Batches(objective), sampler=rows, batch_size=None)


def _mixed(*numbers: int) -> int:
    """Return one seed for several numbers, so that neighbouring seeds share no stream."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
