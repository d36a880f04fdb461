"""Training a network with Lightning: early stopping, checkpoints, the best weights."""

import copy
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
)
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor

from recsparse.errors import InputError
from recsparse.models.objective import Objective
from recsparse.training.module import ObjectiveModule, row_batches
from recsparse.training.plan import FitPlan, OnEpoch
from recsparse.training.precision import uses_bfloat16
from recsparse.training.quiet import only_warnings

logger = logging.getLogger(__name__)

# The weights of a network whose training is complete, beside the checkpoints of it.
COMPLETE = "complete.pt"
_LIGHTNING = ("pytorch_lightning", "lightning_fabric")


def optimise_network(
    objective: Objective, plan: FitPlan, validate: Callable[[], float] | None = None
) -> int:
    """Train a network with early stopping and leave it with its best weights.

    The training's state is saved after each epoch in `plan.checkpoints`, and so are the weights of
    a complete one, which is not done again where it is resumed. Without validation the last weights
    are the best known; with it, a network that goes on from another keeps its starting weights
    where no epoch betters them.

    Args:
        objective: The network, its rows and its loss.
        plan: Settings of the training.
        validate: Returns the quality of the network as it is now.

    Returns:
        After how many epochs the network was the one that is left; 0 for its starting weights.

    Raises:
        InputError: If the checkpoint to resume from is that of another network.
    """
    module = ObjectiveModule(objective, plan.training, validate, plan.seed)
    with _checkpoint_folder(plan) as folder, _quiet_lightning():
        if plan.resume and (folder / COMPLETE).is_file():
            _check_fits(folder / COMPLETE, module)
            complete = torch.load(folder / COMPLETE)
            module.load_state_dict(complete["state_dict"])
            return int(complete["epochs"])
        last, best = _saver(folder, "last"), _saver(folder, "best", objective.quality_name)
        # The last state holds what is known of the best, so it has to be saved after it.
        savers = [last] if module.validate is None else [best, last]
        loader = row_batches(objective, plan.training.batch_users, plan.seed)
        resumed = plan.resume and (folder / "last.ckpt").is_file()
        if resumed:
            _check_fits(folder / "last.ckpt", module)
        start = None if plan.warm_start is None else _Start.of(module)
        trainer = _trainer(module, plan, savers)
        trainer.fit(module, loader, ckpt_path=folder / "last.ckpt" if resumed else None)
        epochs = trainer.current_epoch
        if best.best_model_path:
            # Lightning's own file of this very training; it never leaves this folder.
            state = torch.load(best.best_model_path, map_location="cpu", weights_only=False)
            module.load_state_dict(state["state_dict"])
            epochs = state["epoch"] + 1
        if start is not None and best.best_model_score is not None:
            epochs = start.restored_where_better(module, best.best_model_score.item(), epochs)
        module.cpu()
        torch.save({"state_dict": module.state_dict(), "epochs": epochs}, folder / COMPLETE)
    return epochs


@dataclass(frozen=True)
class _Start:
    """A network before its training, and how good it was."""

    weights: Mapping[str, Tensor]
    quality: float

    @classmethod
    def of(cls, module: ObjectiveModule) -> "_Start | None":
        if module.validate is None:
            return None
        module.network.eval()
        quality = module.validate()
        module.network.train()
        return cls(copy.deepcopy(module.state_dict()), quality)

    def restored_where_better(self, module: ObjectiveModule, best: float, epochs: int) -> int:
        """Take the weights back where no epoch was as good; return after how many epochs it is."""
        if self.quality <= best:
            return epochs
        name = module.objective.quality_name
        logger.warning("no epoch betters the start: %s %.4f, was %.4f", name, best, self.quality)
        module.load_state_dict(self.weights)
        return 0


def _check_fits(checkpoint: Path, module: ObjectiveModule) -> None:
    # Lightning would say this in terms of tensors.
    saved = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    shapes = {name: tuple(value.shape) for name, value in saved.items()}
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    if shapes != wanted:
        raise InputError(
            f"the checkpoint {checkpoint} must be of the configured network, but it was written by "
            "another; resume with the configuration of then, or train without --resume"
        )


@contextmanager
def _checkpoint_folder(plan: FitPlan) -> Iterator[Path]:
    if plan.checkpoints is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    if not plan.resume:
        shutil.rmtree(plan.checkpoints, ignore_errors=True)
    plan.checkpoints.mkdir(parents=True, exist_ok=True)
    yield plan.checkpoints


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's tips and warnings back: they are about settings that are made here."""
    with only_warnings(*_LIGHTNING), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="|".join(_LIGHTNING))
        yield


def _saver(folder: Path, name: str, monitor: str | None = None) -> ModelCheckpoint:
    """Save after each epoch, or after each that is the best so far by what is monitored."""
    return ModelCheckpoint(
        dirpath=folder,
        filename=name,
        monitor=monitor,
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def _trainer(
    module: ObjectiveModule, plan: FitPlan, savers: Sequence[ModelCheckpoint]
) -> pl.Trainer:
    callbacks: list[Callback] = [*savers]
    if module.validate is not None:
        callbacks.append(
            EarlyStopping(
                module.objective.quality_name,
                mode="max",
                patience=plan.training.patience,
                check_on_train_epoch_end=True,
            )
        )
    if plan.training.stop_after is not None:
        callbacks.append(_StopAfter(plan.training.stop_after))
    if plan.progress:
        callbacks.append(RichProgressBar())
    return pl.Trainer(
        max_epochs=plan.training.epochs,
        accelerator=plan.training.device,
        devices=1,
        precision="bf16-mixed" if uses_bfloat16(plan.training) else "32-true",
        logger=_EpochLogger(plan.on_epoch),
        callbacks=callbacks,
        enable_progress_bar=plan.progress,
        enable_model_summary=False,
        log_every_n_steps=1,
    )


class _StopAfter(Callback):
    """Ends a training early, whose learning rate falls as for all epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after the last epoch."""
        if trainer.current_epoch + 1 >= self.epochs:
            trainer.should_stop = True


class _EpochLogger(Logger):
    """Hands each epoch's metrics to a function."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self.on_epoch = on_epoch

    @property
    def name(self) -> str:
        return "recsparse"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Hyperparameters are logged by the caller."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self.on_epoch is None:
            return
        values = dict(metrics)
        epoch = int(values.pop("epoch"))
        self.on_epoch(epoch, values)
