"""One trial of a search: a model fitted with its settings, and how good it is on validation."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from recsparse.config.config import Config
from recsparse.config.metric_names import figure_name
from recsparse.config.trial_settings import with_settings
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.fit_rows import FitRows, rows_to_fit
from recsparse.datasets.parts import EvaluationPart
from recsparse.errors import reason
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import model_class
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.fit_on_dataset import fit_context, fit_on, validate
from recsparse.stages.needs import require_needs
from recsparse.stages.tuning.trials import State, Trial, TrialRecord, Trials


class _Pruned(Exception):  # noqa: N818 — no fault of the training
    """Ends a training that is not worth its time."""


@dataclass(frozen=True)
class Figure:
    """By what a search chooses.

    Attributes:
        name: Of the metric.
        is_error: Whether less is better.
        of_epochs: What a network calls its quality after each epoch, the larger the better.
    """

    name: str
    is_error: bool
    of_epochs: str

    @classmethod
    def of(cls, config: Config) -> "Figure":
        """Return the figure of a configured model: `evaluation.select_by`, or RMSE of ratings."""
        is_error = model_class(config.model.kind).predicts_ratings
        name = "rmse" if is_error else figure_name(config.evaluation.select_by)
        epochs = "negative_rmse" if is_error else name.partition("@")[0]
        return cls(name, is_error, f"validation_{epochs}")

    def of_quality(self, quality: float) -> float:
        """Return the metric of a quality, which is minus an error."""
        return -quality if self.is_error else quality


class TrialFits:
    """Fits the trials of a search, one after the other.

    Args:
        data: The dataset, of which the test part is not read.
        part: Its validation part.
        config: What the settings of trials are laid over.
        reporter: Shows each fit.
    """

    def __init__(
        self, data: Dataset, part: EvaluationPart, config: Config, reporter: Reporter = SILENT
    ) -> None:
        self.data, self.part, self.config = data, part, config
        self.figure = Figure.of(config)
        with reporter.task("laying out the rows"):
            self.rows: FitRows = rows_to_fit(data)
            context = fit_context(data, self.rows, part, config)
        self.context: FitContext = replace(context, reporter=reporter)
        self._last: Recommender | None = None

    def run(self, trial: Trial, trials: Trials, deadline: float = math.inf) -> TrialRecord:
        """Fit and validate a trial; whatever fails is recorded with its reason.

        Args:
            trial: What is tried.
            trials: Asked after each epoch whether to go on.
            deadline: When the search has to end, by the monotonic clock.

        Returns:
            What came out, kept in `trials` too.
        """
        begun, watch = time.monotonic(), _Watch(trial, trials, self.figure.of_epochs, deadline)
        state: State = "complete"
        try:
            quality, why = self._quality(trial, watch), ""
            if math.isnan(quality):
                state, why = "failed", f"{self.figure.name} is NaN"
        except _Pruned as pruned:
            quality, state, why = watch.last, "pruned", str(pruned)
        except Exception as error:
            # A library may fail in any way on settings that nobody has tried before.
            self._last = None
            quality, state, why = math.nan, "failed", reason(error)
        seconds = time.monotonic() - begun
        record = TrialRecord(trial.number, trial.settings, state, quality, seconds, why)
        trials.finish(record)
        return record

    def _quality(self, trial: Trial, watch: "_Watch") -> float:
        tried = with_settings(self.config, trial.settings)
        require_needs(tried.model, self.data)
        same_fit = self._last and self._last.with_settings(tried.model)
        self._last = None
        context = replace(self.context, on_epoch=watch)
        model = same_fit or fit_on(self.rows, tried, context)
        figures = validate(model, self.data, self.part, tried).mean()
        self._last = model
        return self.figure.of_quality(float(figures[self.figure.name]))


class _Watch:
    """What is told of each epoch, and may end a training."""

    def __init__(self, trial: Trial, trials: Trials, name: str, deadline: float) -> None:
        self.trial, self.trials, self.name, self.deadline = trial, trials, name, deadline
        self.last = math.nan

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        # Parts of a blend have names of their own, and say little of the whole.
        if self.name not in metrics:
            return
        self.last = metrics[self.name]
        if not math.isfinite(self.last):
            raise ArithmeticError(f"{self.name} is {self.last} after epoch {epoch + 1}")
        if self.trials.report(self.trial, epoch, self.last):
            raise _Pruned(f"below the median of the trials before after epoch {epoch + 1}")
        if time.monotonic() > self.deadline and self._has_complete():
            raise _Pruned(f"out of time after epoch {epoch + 1}")

    def _has_complete(self) -> bool:
        return any(record.state == "complete" for record in self.trials.records())
