"""A search: trials one after the other until nothing is left or the time is over."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from recsparse.config.config import Config
from recsparse.config.trial_settings import with_settings
from recsparse.config.tuning import TuningConfig
from recsparse.errors import InputError
from recsparse.reporting.progress import Advance
from recsparse.stages.tuning.trial_fits import Figure, TrialFits
from recsparse.stages.tuning.trials import Plan, Trial, TrialRecord, Trials

# Called when a trial has ended.
OnEnd = Callable[[], None]


@dataclass(frozen=True)
class TuneResult:
    """The outcome of a search.

    Attributes:
        config: The configuration with the best settings.
        trials: One row per trial: its number, its settings, its validation metric, how it ended
            (`complete`, `pruned` or `failed`), its seconds and why it did not come to its end. The
            best first, equal ones in the order of the search, then those that were pruned, by
            their metric when they were, then those that failed.
        metric: Name of the metric.
        importances: Share of each setting in how the trials differ, the largest first; none where
            there are too few to say.
    """

    config: Config
    trials: pd.DataFrame
    metric: str
    importances: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Telling(Protocol):
    """Tells of trials."""

    def begins(self, trial: Trial) -> None:
        """Tell of a trial that begins."""
        ...

    def ends(self, record: TrialRecord) -> None:
        """Tell what came out of a trial."""
        ...


def search(
    trials: Trials, fits: TrialFits, seconds: float | None, shown: Telling, on_end: OnEnd
) -> None:
    """Fit trials in this process until nothing is left or the time is over.

    Args:
        trials: What to try.
        fits: Fits them.
        seconds: How long; None for as long as there are trials.
        shown: Tells of them.
        on_end: Called after each.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    while time.monotonic() < deadline and (trial := trials.next()) is not None:
        shown.begins(trial)
        record = fits.run(trial, trials, deadline)
        shown.ends(record)
        on_end()


def seconds_left(config: TuningConfig, trials: Trials) -> float | None:
    """Return how long a search may still take.

    Args:
        config: Its budget.
        trials: Those that ended before count.

    Returns:
        Seconds, 0 where none are left; None without a limit.
    """
    if config.seconds is None:
        return None
    spent = math.fsum(record.seconds for record in trials.records()) / config.jobs
    return max(config.seconds - spent, 0.0)


@dataclass
class Shown:
    """What is said of the trials.

    Attributes:
        advance: Shows it.
        figure: By what the search chooses.
        total: Trials in all; None where that is open.
        done: Trials that have ended.
    """

    advance: Advance
    figure: Figure
    total: int | None
    done: int = 0

    def begins(self, trial: Trial) -> None:
        """Tell of a trial that begins."""
        self.advance(self.done, self._name(trial.number, trial.settings))

    def ends(self, record: TrialRecord) -> None:
        """Tell what came out of a trial."""
        self.done += 1
        name = self._name(record.number, record.settings)
        self.advance(self.done, f"{name}: {outcome(record, self.figure)}")

    def _name(self, number: int, settings: Mapping[str, Any]) -> str:
        of = "" if self.total is None else f" of {self.total}"
        return f"trial {number + 1}{of}, {_listed(settings)}"


def outcome(record: TrialRecord, figure: Figure) -> str:
    """Return what came out of a trial, in words.

    Args:
        record: Of the trial.
        figure: By what the search chooses.

    Returns:
        The metric, or why there is none.
    """
    if record.state == "failed":
        return f"failed, {record.reason}"
    text = f"{figure.name} {figure.of_quality(record.quality):.4f}"
    return text if record.state == "complete" else f"{text}, pruned: {record.reason}"


def total_of(plan: Plan) -> int | None:
    """Return how many trials a search will have at most; None where that is open."""
    known = [number for number in (plan.size(), plan.trials) if number is not None]
    return min(known, default=None)


def result_of(trials: Trials, config: Config, figure: Figure) -> TuneResult:
    """Return the outcome of a search.

    Args:
        trials: Those that ended.
        config: What their settings are laid over.
        figure: By what the search chooses.

    Returns:
        The best configuration and all trials.

    Raises:
        InputError: If no trial came to its end.
    """
    records = sorted(trials.records(), key=TrialRecord.rank)
    if not records or records[0].state != "complete":
        raise InputError(_why_none(trials.records()))
    best = with_settings(config, records[0].settings)
    rows = [
        {
            "trial": record.number + 1,
            **record.settings,
            figure.name: figure.of_quality(record.quality),
            "state": record.state,
            "seconds": round(record.seconds, 3),
            "reason": record.reason,
        }
        for record in records
    ]
    best = best.model_copy(update={"tuning": TuningConfig()})
    return TuneResult(best, pd.DataFrame(rows), figure.name, trials.importances())


def _why_none(records: list[TrialRecord]) -> str:
    if not records:
        return "a search must have at least one trial, but its time was over; give it more seconds"
    first = records[0]
    return (
        f"at least one trial must come to its end, but none of {len(records)} did; the first, "
        f"{_listed(first.settings)}, {first.state}: {first.reason}; mend it and begin anew with "
        "--fresh"
    )


def _listed(settings: Mapping[str, Any]) -> str:
    named = (f"{name} {_text(value)}" for name, value in settings.items())
    return ", ".join(named) or "as configured"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) and value != round(value, 4) else str(value)
