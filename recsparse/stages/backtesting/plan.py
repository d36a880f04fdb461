"""The splits of a backtest: windows of time, or folds, with the settings of their datasets."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from recsparse.config.backtest import BacktestConfig, duration_seconds
from recsparse.config.config import Config
from recsparse.config.data import SplitConfig
from recsparse.config.section import in_utc
from recsparse.config.units import SECONDS_A_DAY
from recsparse.errors import ConfigError, InputError
from recsparse.stages.backtesting.times import LogTimes

logger = logging.getLogger(__name__)

_MINUTE = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class BacktestSplit:
    """A dataset of a backtest, and the models that are fitted on it.

    Attributes:
        number: From 1 on; the step of figures in MLflow.
        name: Such as `window 1`.
        config: How the dataset is prepared.
        seeds: Those of the models.
        start: When the window starts, UTC; None of a fold.
        end: When it ends.
    """

    number: int
    name: str
    config: Config
    seeds: tuple[int, ...]
    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        """Return the name, and the time of a window."""
        if self.start is None or self.end is None:
            return self.name
        return f"{self.name} ({self.start:{_MINUTE}} to {self.end:{_MINUTE}})"


def folds(config: Config) -> list[BacktestSplit]:
    """Return every fold of every seed.

    Args:
        config: Sections `backtest` and `split`, and the first seed.

    Returns:
        Splits, those of one seed next to each other.

    Raises:
        ConfigError: If the kind of split has no folds.
    """
    number, options = 0, config.backtest
    found = []
    for seed in _seeds(config):
        for fold in range(options.folds or 0):
            number += 1
            name = f"fold {fold + 1}" + (f", seed {seed}" if options.seeds > 1 else "")
            of_fold = config.model_copy(update={"split": _fold(config, fold), "seed": seed})
            found.append(BacktestSplit(number, name, of_fold, (seed,)))
    return found


def windows(config: Config, times: LogTimes) -> list[BacktestSplit]:
    """Return the windows of a log, the earliest first.

    A window without test rows is left out, with a warning.

    Args:
        config: Section `backtest`, and the first seed.
        times: When the rows of the log are.

    Returns:
        At least one window.

    Raises:
        InputError: If they do not fit into the log, one has no rows to train or validate on, or
            none has test rows.
    """
    bounds = [*_bounds(config.backtest, times)]
    fitting = [each for each in bounds if each.fits(times)]
    if len(fitting) < len(bounds):
        raise InputError(_too_many(config.backtest, times, len(fitting)))
    if not any(each.has_test(times) for each in bounds):
        raise InputError(
            f"a window must have rows, but none of the {len(bounds)} from "
            f"{_shown(bounds[0].start)} to {_shown(bounds[-1].end)} has any; the log has rows from "
            f"{_shown(times.first)} to {_shown(times.last)}; set --until or --every"
        )
    found = []
    for number, each in enumerate(bounds, 1):
        split = BacktestSplit(
            number,
            f"window {number}",
            config.model_copy(update={"split": SplitConfig.model_validate(each.settings())}),
            _seeds(config),
            _time(each.start),
            _time(each.end),
        )
        if not each.has_test(times):
            logger.warning("%s is left out: the log has no rows in it", split)
            continue
        if times.rows_between(each.validation_from, each.known_until) == 0:
            raise InputError(
                f"{split} must have validation rows before it, but the log has none from "
                f"{_shown(each.validation_from)} to {_shown(each.known_until)}; set a longer "
                "--validation"
            )
        found.append(split)
    return found


@dataclass(frozen=True)
class _Bounds:
    """The times of a window, in seconds since 1970."""

    train_from: int | None
    validation_from: int
    known_until: int
    start: int
    end: int

    def fits(self, times: LogTimes) -> bool:
        train_from = times.first if self.train_from is None else self.train_from
        is_there = train_from >= times.first
        return is_there and times.rows_between(train_from, self.validation_from) > 0

    def has_test(self, times: LogTimes) -> bool:
        return times.rows_between(self.start, self.end) > 0

    def settings(self) -> dict[str, object]:
        return {
            "kind": "time_window",
            "train_from": None if self.train_from is None else _time(self.train_from),
            "validation_from": _time(self.validation_from),
            "known_until": _time(self.known_until),
            "test_from": _time(self.start),
            "test_until": _time(self.end),
        }


def _bounds(options: BacktestConfig, times: LogTimes) -> Iterator[_Bounds]:
    every = duration_seconds(options.every)
    validation = duration_seconds(options.validation or options.every)
    until = times.last + 1 if options.until is None else int(in_utc(options.until).timestamp())
    for left in reversed(range(options.windows)):
        end = until - left * every
        known_until = end - every - duration_seconds(options.gap)
        train_from = None
        if options.history is not None:
            train_from = known_until - duration_seconds(options.history)
        yield _Bounds(train_from, known_until - validation, known_until, end - every, end)


def _too_many(options: BacktestConfig, times: LogTimes, fitting: int) -> str:
    before = f"{options.validation or options.every} for validation"
    if options.history is not None:
        before = f"{options.history} of history"
    if duration_seconds(options.gap):
        before = f"a gap of {options.gap} and {before}"
    days = (times.last - times.first) / SECONDS_A_DAY
    cure = f"set --windows {fitting}, or " if fitting else "set "
    return (
        f"{options.windows} windows of {options.every}, each with {before} and rows to train on "
        f"before it, must fit into the log, which has rows of {days:,.1f} days, from "
        f"{_shown(times.first)} to {_shown(times.last)}; {fitting or 'none'} would; {cure}shorter "
        "--every, --validation or --history"
    )


def _fold(config: Config, fold: int) -> SplitConfig:
    given = config.split.model_dump(exclude_unset=True)
    try:
        return SplitConfig.model_validate(given | {"folds": config.backtest.folds, "fold": fold})
    except ValidationError as error:
        raise ConfigError(
            f"the section split must go with --folds, but {error.errors()[0]['msg']}; change it, "
            "or leave --folds out"
        ) from None


def _seeds(config: Config) -> tuple[int, ...]:
    return tuple(range(config.seed, config.seed + config.backtest.seeds))


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, tz=UTC)


def _shown(second: int) -> str:
    return f"{_time(second):{_MINUTE}}"
