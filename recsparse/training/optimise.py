"""Training a network with Lightning: early stopping, checkpoints, the best weights."""

import copy
import logging
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from recsparse.files.atomic import remove
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.validation import Judge
from recsparse.quiet import only_warnings
from recsparse.training.checkpoint import COMPLETE, LAST, Checkpoint, Facts
from recsparse.training.epoch_report import EpochReport
from recsparse.training.fit_progress import Progress, tell_epochs
from recsparse.training.module import ObjectiveModule, row_batches
from recsparse.training.product_precision import uses_bfloat16

logger = logging.getLogger(__name__)

_LIGHTNING = ("pytorch_lightning", "lightning_fabric")


def optimise_network(objective: Objective, context: FitContext, judge: Judge | None = None) -> int:
    """Train a network with early stopping and leave it with its best weights.

    The training's state is saved after each epoch in `context.checkpoints`, and so are the weights
    of a complete one, which is not done again where it is resumed. Without a judge the last weights
    are the best known; with one, a network that continues from another keeps its starting weights
    where no epoch improves on them.

    Args:
        objective: The network, its rows and its loss.
        context: Settings of the training, and where its state is.
        judge: Tells how good the network is as it is now.

    Returns:
        After how many epochs the network was the one that is left; 0 for its starting weights.

    Raises:
        InputError: If the checkpoint to resume from is damaged, or that of another training or
            network.
    """
    module = ObjectiveModule(objective, context.training, judge, context.seed)
    facts = Facts(job=dict(context.job), network=context.network, epochs=0, steps=0)
    with _checkpoint_folder(context) as folder, _quiet_lightning():
        complete = _kept(folder / COMPLETE, facts, module)
        if complete is not None:
            module.load_state_dict(complete.weights)
            tell_epochs(context, complete.facts.metrics)
            return complete.facts.epochs
        last = _kept(folder / LAST, facts, module)
        progress = Progress(folder, module, facts, context, last)
        loader = row_batches(objective, context.training.batch_users, context.seed)
        start = None if context.warm_start is None else _Start.of(module)
        most = context.training.stop_after or context.training.epochs
        with context.reporter.task("training", most * len(loader)) as advance, _plain_interrupts():
            trainer = _trainer(context, [progress, EpochReport(advance, progress, most)])
            trainer.fit(module, loader)
        epochs = trainer.current_epoch
        module.cpu()
        if progress.best_epoch:
            epochs = progress.best_epoch
            module.load_state_dict(progress.best)
        if start is not None and progress.best_epoch:
            epochs = start.restored_where_better(module, progress.best_quality, epochs)
        whole = facts.model_copy(update={"epochs": epochs, "metrics": progress.metrics})
        Checkpoint(whole, module.state_dict()).write(folder / COMPLETE)
        (folder / LAST).unlink(missing_ok=True)
    return epochs


def _kept(path: Path, facts: Facts, module: ObjectiveModule) -> Checkpoint | None:
    return Checkpoint.read(path, facts, module.state_dict()) if path.is_file() else None


@dataclass(frozen=True)
class _Start:
    """A network before its training, and how good it was."""

    weights: Mapping[str, Tensor]
    quality: float

    @classmethod
    def of(cls, module: ObjectiveModule) -> "_Start | None":
        if module.judge is None:
            return None
        module.network.eval()
        quality = module.judge.quality()
        module.network.train()
        return cls(copy.deepcopy(module.state_dict()), quality)

    def restored_where_better(self, module: ObjectiveModule, best: float, epochs: int) -> int:
        """Take the weights back where no epoch was as good; return after how many epochs it is."""
        if self.quality <= best:
            return epochs
        name = module.quality_name
        logger.warning(
            "no epoch is better than the start: %s %.4f, was %.4f", name, best, self.quality
        )
        module.load_state_dict(self.weights)
        return 0


@contextmanager
def _checkpoint_folder(context: FitContext) -> Iterator[Path]:
    if context.checkpoints is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    if not context.resume:
        remove(context.checkpoints)
    context.checkpoints.mkdir(parents=True, exist_ok=True)
    yield context.checkpoints


@contextmanager
def _plain_interrupts() -> Iterator[None]:
    """Leave Ctrl-C what it is: Lightning makes a `SystemExit` of it, and switches it off for good.

    Raises:
        KeyboardInterrupt: Where the training is interrupted.
        SystemExit: Where something else ends the process.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if is_main else None
    try:
        yield
    except SystemExit as stopped:
        if not isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt from None
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's tips and warnings back: they are about settings that are made here."""
    with only_warnings(*_LIGHTNING), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="|".join(_LIGHTNING))
        yield


def _trainer(context: FitContext, callbacks: list[Callback]) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=context.training.epochs,
        accelerator=context.training.device,
        devices=1,
        precision="bf16-mixed" if uses_bfloat16(context.training) else "32-true",
        logger=False,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
