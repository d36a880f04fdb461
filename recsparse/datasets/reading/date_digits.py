"""Dates spelled by digits alone, as 20260125 or 2026012513, which are no seconds."""

import numpy as np
from numpy.typing import NDArray

# Digits of a day, an hour, a minute and a second. Nothing else that a log may hold lies where
# these do: as seconds, 19700101 to 20991231 are fifteen days of August 1970.
LENGTHS = (8, 10, 12, 14)
_MONTH = 6
_FIRST_YEAR, _LAST_YEAR = 1970, 2099


def seconds_of_digits(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times that numbers spell.

    Args:
        numbers: Such as 202601 (a month), 20260125, 2026012513, 202601251330 or 20260125133059.

    Returns:
        Seconds since 1970, UTC, and False where a number spells no time of the years 1970 to 2099.

    Example:
        >>> seconds, spelled = seconds_of_digits(np.array([19700102, 1970010301, 20260230]))
        >>> seconds[:2].tolist(), spelled.tolist()
        ([86400, 176400], [True, True, False])
    """
    full = np.zeros(len(numbers), dtype=np.int64)
    for length in (_MONTH, *LENGTHS):
        some = (numbers >= 10 ** (length - 1)) & (numbers < 10**length)
        days = numbers[some] * 100 + 1 if length == _MONTH else numbers[some]
        full[some] = days * 10 ** (14 - max(length, LENGTHS[0]))
    clock, day, month = full % 10**6, full // 10**6 % 100, full // 10**8 % 100
    year = full // 10**10
    hour, minute, second = clock // 10**4, clock // 100 % 100, clock % 100
    spelled = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12)
    spelled &= (hour < 24) & (minute < 60) & (second < 60) & (day >= 1)
    months = np.where(spelled, (year - 1970) * 12 + month - 1, 0)
    first, following = (_days_before(months + after) for after in (0, 1))
    spelled &= day <= following - first
    seconds = (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    return np.where(spelled, seconds, 0), spelled


def may_spell_dates(low: int | float, high: int | float) -> bool:
    """Tell whether numbers from a lowest to a highest may all spell times of one length.

    Args:
        low: The lowest number.
        high: The highest number.

    Returns:
        Whether both lie in the years 1970 to 2099.
    """
    scales = (10 ** (length - 4) for length in LENGTHS)
    return any(_FIRST_YEAR * one <= low and high < (_LAST_YEAR + 1) * one for one in scales)


def _days_before(months: NDArray[np.int64]) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = months.astype("datetime64[M]").astype("datetime64[D]").astype(int)
    return starts
