"""A long row of items cut where enough has come together."""

from collections.abc import Iterator

import numpy as np


def cuts(until: np.ndarray, most: int) -> Iterator[slice]:
    """Yield neighbouring items some at a time.

    Args:
        until: What comes before each item, and in the end what all have together; it never falls.
        most: What the items of one cut have together, but for a single item that has more.

    Yields:
        The items of a cut, at least one; together all items, in their order.

    Example:
        >>> list(cuts(np.array([0, 2, 3, 9, 10]), most=3))
        [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    first, last = 0, len(until) - 1
    while first < last:
        end = int(np.searchsorted(until, until[first] + most, side="right")) - 1
        end = min(max(end, first + 1), last)
        yield slice(first, end)
        first = end
