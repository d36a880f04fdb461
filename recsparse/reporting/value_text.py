"""How a figure reads, in tables of the terminal and on pages."""

import math
from typing import Any


def value_text(value: Any) -> str:
    """Return a figure as people read it.

    Args:
        value: A number, a text, or a list of texts.

    Returns:
        Large numbers with commas, others with four digits, NaN as a dash, one text per line.

    Example:
        >>> value_text(1234567), value_text(0.123456), value_text(math.nan)
        ('1,234,567', '0.1235', '–')
    """
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    if isinstance(value, (list, tuple)):
        return "\n".join(map(value_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def mean_text(mean: float, error: float) -> str:
    """Return a mean with what it may be off by, both as exactly as that allows.

    Args:
        mean: The mean.
        error: A standard error, or half of an interval; NaN where it is not known.

    Returns:
        The error with two significant digits, the mean with as many decimals, of which the error
        has six at most; the mean alone where the error is NaN.

    Example:
        >>> mean_text(0.277, 0.00743), mean_text(0.896, 0.45), mean_text(0.25, math.nan)
        ('0.2770 ± 0.0074', '0.90 ± 0.45', '0.25')
    """
    if math.isnan(mean) or math.isnan(error):
        return value_text(mean)
    if error == 0:
        return f"{value_text(mean)} ± 0"
    decimals = min(max(1 - math.floor(math.log10(abs(error))), 0), 6)
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"
