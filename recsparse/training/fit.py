"""Fitting any model: linear ones by themselves, networks with Lightning."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.models.base import FitExtras, Recommender, Validation, WarmStart
from recsparse.models.objective import Objective
from recsparse.network_config import TrainingConfig
from recsparse.sparse.tensor import SparseTensor
from recsparse.training.module import ObjectiveModule, row_batches
from recsparse.training.quiet import only_warnings

OnEpoch = Callable[[int, Mapping[str, float]], None]

# The weights of a network whose training is complete, beside the checkpoints of it.
COMPLETE = "complete.pt"
_LIGHTNING = ("pytorch_lightning", "lightning_fabric")


@dataclass(frozen=True)
class FitPlan:
    """How a model is fitted.

    Attributes:
        training: Settings of the gradient training.
        seed: Of every random choice.
        checkpoints: Folder for the training's state, for the caller to remove when the model is
            saved; None keeps it in a temporary one.
        resume: Go on from the last checkpoint in that folder.
        progress: Show a progress bar.
        on_epoch: Called with the epoch's number (from 0) and its metrics; their names start with
            that of the network and a slash where a model has several.
        warm_start: A fitted model of the same kind to go on from.
    """

    training: TrainingConfig
    seed: int = 0
    checkpoints: Path | None = None
    resume: bool = False
    progress: bool = False
    on_epoch: OnEpoch | None = None
    warm_start: WarmStart | None = None


def fit_model(
    model: Recommender,
    interactions: csr_matrix,
    plan: FitPlan,
    validate: Callable[[Recommender], float] | None = None,
    item_words: SparseTensor | None = None,
    times: csr_matrix | None = None,
    validation: Validation | None = None,
) -> Recommender:
    """Fit a model in place.

    Args:
        model: Any recommender.
        interactions: Users × items.
        plan: Settings of the training.
        validate: Returns the validation quality of a model, the larger the better.
        item_words: One bag of words an item.
        times: The time of each interaction, where times are known.
        validation: The users of the validation, for models that weigh their parts by it.

    Returns:
        The same model, fitted.

    Raises:
        InputError: If the model to go on from is of another kind.
    """
    known = plan.warm_start
    if known is not None and known.model.kind != model.kind:
        raise InputError(
            f"a model goes on from one of its own kind, but {model.kind} was to go on from "
            f"{known.model.kind}; set model.kind={known.model.kind}, or fit anew"
        )

    def optimise(
        objective: Objective, validate_network: Callable[[], float] | None
    ) -> TrainingConfig:
        own = _plan_of(objective, plan)
        epochs = optimise_network(objective, own, validate_network)
        return own.training.model_copy(update={"stop_after": epochs})

    if plan.checkpoints is not None and not plan.resume:
        shutil.rmtree(plan.checkpoints, ignore_errors=True)
    extras = FitExtras(
        seed=plan.seed,
        times=times,
        validate=validate,
        validation=validation,
        item_words=item_words,
        optimise=optimise,
        warm_start=known,
    )
    model.fit(interactions, extras)
    return model


def _plan_of(objective: Objective, plan: FitPlan) -> FitPlan:
    """Give a network its own settings, folder and names of metrics."""
    training = plan.training if objective.training is None else objective.training
    on_epoch, name = plan.on_epoch, objective.name
    if not name:
        return replace(plan, training=training)

    def on_its_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        if on_epoch is not None:
            on_epoch(epoch, {f"{name}/{metric}": value for metric, value in metrics.items()})

    folder = None if plan.checkpoints is None else plan.checkpoints / name
    return replace(plan, training=training, checkpoints=folder, on_epoch=on_its_epoch)


def optimise_network(
    objective: Objective, plan: FitPlan, validate: Callable[[], float] | None = None
) -> int:
    """Train a network with early stopping and leave it with its best weights.

    The training's state is saved after each epoch in `plan.checkpoints`, and so are the weights of
    a complete one, which is not done again where it is resumed. Without validation the last weights
    are the best known.

    Args:
        objective: The network, its rows and its loss.
        plan: Settings of the training.
        validate: Returns the quality of the network as it is now.

    Returns:
        After how many epochs the network was the one that is left.

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
        trainer = _trainer(module, plan, savers)
        trainer.fit(module, loader, ckpt_path=folder / "last.ckpt" if resumed else None)
        epochs = trainer.current_epoch
        if best.best_model_path:
            # Lightning's own file of this very training; it never leaves this folder.
            state = torch.load(best.best_model_path, map_location="cpu", weights_only=False)
            module.load_state_dict(state["state_dict"])
            epochs = state["epoch"] + 1
        module.cpu()
        torch.save({"state_dict": module.state_dict(), "epochs": epochs}, folder / COMPLETE)
    return epochs


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
        precision="bf16-mixed" if plan.training.precision == "bfloat16" else "32-true",
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
