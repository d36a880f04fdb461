"""What a training keeps and decides after each epoch, and how it takes up an interrupted one."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint as LastOfCallbacks
from torch import Tensor

from recsparse.errors import CheckpointError
from recsparse.models.protocol.fit_context import FitContext
from recsparse.training.checkpoint import (
    LAST,
    Checkpoint,
    Facts,
    damage,
)
from recsparse.training.module import ObjectiveModule
from recsparse.training.optimizer_state import optimizer_tensors, restore_optimizer


def tell_epochs(context: FitContext, metrics: Sequence[Mapping[str, float]]) -> None:
    """Tell of epochs that were done before.

    Args:
        context: Has the reporter that shows them.
        metrics: Of each epoch, from the first on.
    """
    for epoch, figures in enumerate(metrics):
        context.tell(epoch, figures)


class Progress(LastOfCallbacks):
    """Remembers the best epoch, saves the state after each, and ends a training early.

    Lightning's own checkpoints are pickles, and name files to read and to remove; here a file holds
    tensors and numbers alone, all of which are checked before they are used.

    Args:
        folder: Where the state is saved.
        module: The network, with the settings of its training.
        facts: Of the training; its job and network are kept.
        context: Has the reporter that shows each epoch, once it is saved; of a resumed training
            also the epochs before.
        resumed: The state to resume from.

    Attributes:
        best_epoch: After how many epochs the network was best; 0 where that is not known.
        best_quality: How good it was.
        best: Its weights then.
        metrics: Of each epoch done.
    """

    def __init__(
        self,
        folder: Path,
        module: ObjectiveModule,
        facts: Facts,
        context: FitContext,
        resumed: Checkpoint | None = None,
    ) -> None:
        self.folder = folder
        self.config = module.training_config
        self.quality_name = module.quality_name
        self.facts = facts
        self.resumed = resumed
        self.context = context
        self.metrics: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_quality = -math.inf
        self.best: Mapping[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take up the state of an interrupted training.

        Args:
            trainer: Its optimiser is as before the first step.
            pl_module: The network.

        Raises:
            CheckpointError: If the state does not fit the training.
        """
        if self.resumed is None:
            return
        facts, weights = self.resumed.facts, self.resumed.weights
        path = self.folder / LAST
        steps = facts.epochs * trainer.estimated_stepping_batches / self.config.epochs
        if not 0 < facts.epochs <= self.config.epochs or facts.steps != steps:
            raise CheckpointError(
                damage(path, f"it is after {facts.epochs} epochs and {facts.steps} steps")
            )
        pl_module.load_state_dict(weights)
        rates = facts.learning_rates
        optimizer = trainer.optimizers[0]
        restore_optimizer(path, optimizer, self.resumed.optimizer, rates, facts.steps)
        (schedule,) = trainer.lr_scheduler_configs
        counted = {"last_epoch": facts.steps, "_step_count": facts.steps + 1, "_last_lr": rates}
        schedule.scheduler.load_state_dict({**schedule.scheduler.state_dict(), **counted})
        progress = trainer.fit_loop.epoch_progress
        done = dict.fromkeys(("ready", "started", "processed", "completed"), facts.epochs)
        progress.load_state_dict({"current": done, "total": done})
        optimized = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer
        optimized.step.total.ready = optimized.step.total.completed = facts.steps
        if facts.best_quality is not None:
            self.best_epoch, self.best_quality = facts.best_epoch, facts.best_quality
            self.best = self.resumed.best or weights
        self.resumed = None
        self.metrics = list(facts.metrics)
        tell_epochs(self.context, self.metrics)
        trainer.should_stop = self._is_over(facts.epochs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the state, tell of the epoch, and stop where no better one is to be expected.

        Args:
            trainer: Its metrics hold the validation quality.
            pl_module: The network.
        """
        epochs = trainer.current_epoch + 1
        weights = {name: value.detach().cpu() for name, value in pl_module.state_dict().items()}
        quality = trainer.callback_metrics.get(self.quality_name)
        if quality is not None and quality.item() > self.best_quality:
            self.best_epoch, self.best_quality = epochs, quality.item()
            self.best = {name: value.clone() for name, value in weights.items()}
        figures = {name: value.item() for name, value in trainer.callback_metrics.items()}
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        self.metrics.append(finite)
        facts = self.facts.model_copy(
            update={
                "metrics": self.metrics,
                "epochs": epochs,
                "steps": trainer.global_step,
                "best_epoch": self.best_epoch,
                "best_quality": self.best_quality if self.best_epoch else None,
                "learning_rates": [group["lr"] for group in trainer.optimizers[0].param_groups],
            }
        )
        best = self.best if self.best_epoch < epochs else {}
        optimizer = optimizer_tensors(trainer.optimizers[0])
        Checkpoint(facts, weights, best, optimizer).write(self.folder / LAST)
        # Saved first: a training that is killed between the two tells of the epoch when it resumes.
        self.context.tell(epochs - 1, figures)
        if self._is_over(epochs):
            trainer.should_stop = True

    def _is_over(self, epochs: int) -> bool:
        waited = epochs - self.best_epoch if self.best_epoch else 0
        return waited >= self.config.patience or epochs >= (self.config.stop_after or math.inf)
