"""What a search tries of a setting: a list of values, or a range of numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from recsparse.errors import ConfigError

_DOTS, _LOG = "..", "log"


@dataclass(frozen=True)
class Range:
    """Numbers from a lowest to a highest one, both included, for a search to draw from.

    Attributes:
        low: The lowest.
        high: The highest, above the lowest.
        log: Whether the logarithm is drawn evenly, not the number.
        integer: Whether whole numbers are drawn.

    Raises:
        ConfigError: If there is no number in between, or the logarithm of the lowest is none.

    Example:
        >>> str(Range(1, 1000, log=True))
        '1..1000 log'
    """

    low: int | float
    high: int | float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ConfigError(f"the ends of a range must be finite, but it is {self}")
        if self.low >= self.high:
            raise ConfigError(
                f"a range must begin below its end, but is {self}; swap the ends, or name values "
                "as a list"
            )
        if self.log and self.low <= 0:
            raise ConfigError(
                f"a range by logarithm must begin above 0, but is {self}; leave out `log`, or "
                "begin above 0"
            )

    def __str__(self) -> str:
        """Return the range as `--try` takes it."""
        return f"{self.low:.12g}{_DOTS}{self.high:.12g}" + (f" {_LOG}" if self.log else "")


SearchSpace: TypeAlias = Mapping[str, Sequence[Any] | Range]


def is_range(text: Any) -> bool:
    """Say whether a value of `--try` is meant to be a range.

    Args:
        text: The value.

    Returns:
        Whether it is text with two dots.
    """
    return isinstance(text, str) and _DOTS in text


def parse_range(text: str, key: str) -> Range:
    """Read a range.

    Args:
        text: Such as `0.1..0.5`, or `1..1000 log`.
        key: The setting, for errors.

    Returns:
        The range.

    Raises:
        ConfigError: If it is none.

    Example:
        >>> parse_range("1e-4..0.01 log", "learning_rate")
        Range(low=0.0001, high=0.01, log=True, integer=False)
    """
    first, _, rest = text.partition(_DOTS)
    last, *marks = rest.split() or [""]
    try:
        low, high = _number(first), _number(last)
    except ValueError:
        marks = [text]
    if marks not in ([], [_LOG]):
        raise ConfigError(
            f"the range of {key} must look like 0.1..0.5, or 1..1000 log, but got {text!r}"
        )
    try:
        return Range(low, high, log=bool(marks))
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
