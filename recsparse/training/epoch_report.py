"""What is reported of a training: each step, and each epoch with its quality."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint as LastOfCallbacks

from recsparse.reporting.progress import Advance
from recsparse.training.fit_progress import Progress


class EpochReport(LastOfCallbacks):
    """Tells how many steps are done, and after each epoch how good the network is.

    Args:
        advance: Takes the steps done, and what to say of an epoch.
        progress: What the training knows of its best epoch; it gets each epoch first.
        epochs: The most that there may be.
    """

    def __init__(self, advance: Advance, progress: Progress, epochs: int) -> None:
        self.advance = advance
        self.progress = progress
        self.epochs = epochs

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell how much was done before, by a training that is resumed."""
        self.advance(trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        """Tell of a step."""
        self.advance(trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell of an epoch."""
        text = f"epoch {trainer.current_epoch + 1} of at most {self.epochs}"
        name, best = self.progress.quality_name, self.progress.best_epoch
        quality = trainer.callback_metrics.get(name)
        if quality is not None:
            text += f", {name.replace('_', ' ')} {quality.item():.4f}"
        if best and best <= trainer.current_epoch:
            text += f" (best {self.progress.best_quality:.4f} after epoch {best})"
        self.advance(trainer.global_step, text)
