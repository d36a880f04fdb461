"""FitContext: all that a fit may use besides the interactions, made once and handed down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scipy.sparse import csr_matrix

from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.objective import Objective
from recsparse.models.protocol.validation import Judge, Validation
from recsparse.models.protocol.warm_start import WarmStart
from recsparse.reporting.progress import SILENT, Reporter

OnEpoch = Callable[[int, Mapping[str, float]], None]
# Trains a network towards an objective, judged after each epoch where there is a judge, and returns
# how, the best epoch as `stop_after`.
Trainer = Callable[[Objective, "FitContext", Judge | None], TrainingConfig]


@dataclass(frozen=True, eq=False)
class FitContext:
    """How a model is fitted, and with what.

    Attributes:
        training: Settings of the gradient training, for networks without their own.
        seed: Of every random choice.
        training_seed: Of the batches and the noise of networks, which the parts of a blend share;
            None for the seed.
        times: The time of each interaction: a matrix with the cells of the interactions, which
            holds seconds.
        item_features: What is known of the items besides rows; None where nothing is.
        user_features: What is known of the users, a row for each of the interactions; None where
            nothing is.
        validation: Users to judge by; None fits as long and weighs as the configuration says.
        warm_start: A fitted model of the same kind that networks and factors continue from; models
            in closed form, and those of text, whose words may be others, are fitted anew.
        trainer: Trains networks; models stand below what does.
        network: Which network of a model is trained; empty where there is but one. It names the
            folder of its checkpoints and its metrics.
        checkpoints: Folder for the training's state, for the caller to remove when the model is
            saved; None keeps it in a temporary one.
        resume: Resume from the last checkpoint in that folder.
        job: Digests of what the training depends on, by what they are of; a checkpoint of another
            job is not resumed from.
        reporter: Shows the fit, the parts of a model that has some, and each step and
            epoch of a network.
        on_epoch: Called with the epoch's number (from 0) and its metrics; a training that is
            resumed tells of the epochs before once more.
    """

    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0
    training_seed: int | None = None
    times: csr_matrix | None = None
    item_features: Features | None = None
    user_features: Features | None = None
    validation: Validation | None = None
    warm_start: WarmStart | None = None
    trainer: Trainer | None = None
    network: str = ""
    checkpoints: Path | None = None
    resume: bool = False
    job: Mapping[str, str] = field(default_factory=dict)
    reporter: Reporter = SILENT
    on_epoch: OnEpoch | None = None

    def tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Tell of an epoch of the network.

        Args:
            epoch: Its number, from 0.
            metrics: By name; to the names comes that of the network, where it has one.
        """
        if self.on_epoch is not None:
            prefix = f"{self.network}/" if self.network else ""
            self.on_epoch(epoch, {f"{prefix}{name}": value for name, value in metrics.items()})


# Of a fit that is given nothing else.
PLAIN = FitContext()
