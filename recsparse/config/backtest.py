"""The configuration of backtests: how a log is cut into windows of time, or into folds."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from recsparse.config.section import Section
from recsparse.config.units import Unit

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1}
_DURATION = re.compile(rf"(\d+)\s*({'|'.join(_SECONDS)})")


def duration_seconds(text: str) -> int:
    """Return the length of a stretch of time.

    Args:
        text: A whole number and a unit: weeks `w`, days `d`, hours `h`, minutes `min`, seconds `s`.

    Returns:
        Seconds.

    Raises:
        ValueError: If it is something else.

    Example:
        >>> duration_seconds("7d"), duration_seconds("90 min")
        (604800, 5400)
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            "it must be a whole number and a unit, as in 7d; units are w (weeks), d (days), "
            "h (hours), min (minutes) and s (seconds)"
        )
    return int(found[1]) * _SECONDS[found[2]]


def _is_duration(text: str) -> str:
    duration_seconds(text)
    return text


def _is_long(text: str) -> str:
    if duration_seconds(text) == 0:
        raise ValueError("it must be longer than 0")
    return text


Duration = Annotated[str, AfterValidator(_is_duration)]
LongDuration = Annotated[str, AfterValidator(_is_long)]


class BacktestConfig(Section):
    """How `recsparse backtest` cuts a log; lengths are a number and a unit, as in `7d` or `12h`.

    Attributes:
        windows: Number of windows of time, one after the other, the last one at the end.
        every: Length of a window, and so the time from one to the next.
        until: When the last window ends (UTC); without it, after the last row of the log.
        validation: Length of the validation part before each window; without it as long as a
            window.
        history: How much before a window a model may know, validation included, so that the
            training slides along; without it, all: the training grows.
        gap: Time before each window of which nothing is known yet, as where data is late.
        folds: Number of folds of a random split, in the place of windows: of each user's rows, or
            of users where `split.kind` is `held_out_users`.
        seeds: How many seeds, from `seed` on. Each makes models of its own and, with folds,
            another split.
    """

    windows: Annotated[int, Unit("windows")] = Field(default=6, ge=1)
    every: LongDuration = "7d"
    until: datetime | None = None
    validation: LongDuration | None = None
    history: LongDuration | None = None
    gap: Duration = "0d"
    folds: Annotated[int, Unit("folds")] | None = Field(default=None, ge=2)
    seeds: Annotated[int, Unit("seeds")] = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _windows_or_folds(self) -> "BacktestConfig":
        timed = self.model_fields_set - {"folds", "seeds"}
        if self.folds is not None and timed:
            raise ValueError(
                f"folds take the place of windows, but {', '.join(sorted(timed))} are set, too; "
                "leave one of both out"
            )
        validation = duration_seconds(self.validation or self.every)
        if self.history is not None and duration_seconds(self.history) <= validation:
            raise ValueError(
                "history must be longer than the validation part, but is "
                f"{self.history} with {self.validation or self.every} for validation"
            )
        return self
