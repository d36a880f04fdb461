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
