"""Trials of a search: what is tried next, and what came out of it."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from typing_extensions import override

from recsparse.config.config import Config
from recsparse.config.search_space import Range, SearchSpace
from recsparse.config.trial_settings import configured
from recsparse.errors import InputError

State = Literal["complete", "pruned", "failed"]
Drawing = Literal["grid", "random", "tpe"]


@dataclass(frozen=True)
class Plan:
    """How a search draws its trials.

    Attributes:
        space: What it tries of each setting.
        drawing: How.
        trials: Most trials; None for as many as there are.
        prune_after: Epochs after which a trial may be pruned; None prunes none.
        seed: Of what is drawn.
        start: Settings as configured, those that may be drawn: what a search that draws tries
            first.
    """

    space: SearchSpace
    drawing: Drawing
    trials: int | None = None
    prune_after: int | None = None
    seed: int = 0
    start: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, space: SearchSpace) -> "Plan":
        """Return the plan of a configuration.

        Args:
            config: Its section `tuning` says how to draw.
            space: What is tried of each setting.

        Returns:
            The plan.

        Raises:
            InputError: If a range is to be tried by a grid, or a search that draws has no end.
        """
        options = config.tuning
        ranges = [key for key, tried in space.items() if isinstance(tried, Range)]
        is_open = options.trials is None and options.seconds is None
        drawing = options.sampler
        if drawing == "auto":
            drawing = "grid" if is_open and not ranges else "tpe"
        if drawing == "grid" and ranges:
            raise InputError(
                f"a grid takes lists, but {ranges[0]} has the range {space[ranges[0]]}; name its "
                "values, or set tuning.sampler to tpe or random"
            )
        values = {key: configured(config, key) for key in space}
        start = {key: values[key] for key, tried in space.items() if _may_be(values[key], tried)}
        plan = cls(space, drawing, options.trials, options.prune_after, config.seed, start)
        if is_open and plan.size() is None:
            raise InputError(
                "a search that draws from ranges must have an end, but none is set; set "
                "tuning.trials (--trials 50) or tuning.seconds (--seconds 600)"
            )
        return plan

    def size(self) -> int | None:
        """Return how many different trials there are; None where they cannot be counted."""
        return math.prod(sizes) if None not in (sizes := self._sizes()) else None  # type: ignore[arg-type]

    def combinations(self) -> list[dict[str, Any]]:
        """Return all different trials in the order of a grid; there must be a size."""
        values = [_values(tried) for tried in self.space.values()]
        return [dict(zip(self.space, each, strict=True)) for each in itertools.product(*values)]

    def _sizes(self) -> list[int | None]:
        return [
            None if isinstance(tried, Range) and not tried.integer else len(_values(tried))
            for tried in self.space.values()
        ]


def _may_be(value: Any, tried: Sequence[Any] | Range) -> bool:
    if isinstance(tried, Range):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and tried.low <= value <= tried.high
    return value in tried


def _values(tried: Sequence[Any] | Range) -> Sequence[Any]:
    return range(int(tried.low), int(tried.high) + 1) if isinstance(tried, Range) else tried


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Attributes:
        number: In the order of the search, from 0.
        settings: Values by their keys below `model`.
    """

    number: int
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class TrialRecord:
    """What came out of a trial.

    Attributes:
        number: Of the trial.
        settings: What was tried.
        state: Whether it came to its end, was ended early, or failed.
        quality: The validation metric, the larger the better, so minus an error; of a pruned trial
            that of its last epoch; NaN of a failed one.
        seconds: How long it took.
        reason: Why it did not come to its end.
        ended: When, in UTC.
        epochs: The quality after each epoch of a network, by the epoch's number, from 0.
    """

    number: int
    settings: Mapping[str, Any]
    state: State
    quality: float
    seconds: float
    reason: str = ""
    ended: datetime = field(default_factory=lambda: datetime.now(UTC))
    epochs: Mapping[int, float] = field(default_factory=dict)

    def rank(self) -> tuple[bool, float]:
        """Return what sorts records, the best first: complete ones before others."""
        worst = math.isnan(self.quality)
        return (self.state != "complete", math.inf if worst else -self.quality)


class Trials(ABC):
    """The trials of a search, which several processes may share."""

    @abstractmethod
    def next(self) -> Trial | None:
        """Return what is to be tried next; None where nothing is left."""

    @abstractmethod
    def report(self, trial: Trial, epoch: int, quality: float) -> bool:
        """Tell how good a network is after an epoch.

        Args:
            trial: Its trial.
            epoch: The number of the epoch, from 0.
            quality: The larger the better.

        Returns:
            Whether the trial is to be pruned.
        """

    @abstractmethod
    def finish(self, record: TrialRecord) -> None:
        """Keep what came out of a trial.

        Args:
            record: Of a trial that `next` returned.
        """

    @abstractmethod
    def records(self) -> list[TrialRecord]:
        """Return what came out of the trials that ended, in the order of their numbers."""

    @abstractmethod
    def runs(self) -> Mapping[int, str]:
        """Return the MLflow runs of trials, by their numbers."""

    @abstractmethod
    def set_run(self, number: int, run_id: str) -> None:
        """Keep the MLflow run of a trial."""

    @abstractmethod
    def importances(self) -> dict[str, float]:
        """Return the share of each setting in how the trials differ; none where too few say."""


class ListedTrials(Trials):
    """A grid that one process works off, kept in memory.

    Args:
        plan: Of lists.
    """

    def __init__(self, plan: Plan) -> None:
        self._left = iter(enumerate(plan.combinations()[: plan.trials]))
        self._epochs: dict[int, dict[int, float]] = {}
        self._records: list[TrialRecord] = []
        self._runs: dict[int, str] = {}

    @override
    def next(self) -> Trial | None:
        number, settings = next(self._left, (-1, {}))
        return None if number < 0 else Trial(number, settings)

    @override
    def report(self, trial: Trial, epoch: int, quality: float) -> bool:
        self._epochs.setdefault(trial.number, {})[epoch] = quality
        return False

    @override
    def finish(self, record: TrialRecord) -> None:
        self._records.append(replace(record, epochs=self._epochs.get(record.number, {})))

    @override
    def records(self) -> list[TrialRecord]:
        return [*self._records]

    @override
    def runs(self) -> Mapping[int, str]:
        return self._runs

    @override
    def set_run(self, number: int, run_id: str) -> None:
        self._runs[number] = run_id

    @override
    def importances(self) -> dict[str, float]:
        return {}
