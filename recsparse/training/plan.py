"""How a model is to be fitted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.recommender import WarmStart
from recsparse.reporting.progress import SILENT, Reporter

OnEpoch = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class FitPlan:
    """How a model is fitted.

    Attributes:
        training: Settings of the gradient training.
        seed: Of every random choice.
        checkpoints: Folder for the training's state, for the caller to remove when the model is
            saved; None keeps it in a temporary one.
        resume: Resume from the last checkpoint in that folder.
        reporter: Hears of the fit, and of each step and epoch of a network.
        on_epoch: Called with the epoch's number (from 0) and its metrics; their names start with
            that of the network and a slash where a model has several. A training that is resumed
            tells of the epochs before once more.
        warm_start: A fitted model of the same kind to continue from.
        job: Digests of what the training depends on, by what they are of; a checkpoint of another
            job is not resumed from.
    """

    training: TrainingConfig
    seed: int = 0
    checkpoints: Path | None = None
    resume: bool = False
    reporter: Reporter = SILENT
    on_epoch: OnEpoch | None = None
    warm_start: WarmStart | None = None
    job: Mapping[str, str] = field(default_factory=dict)
