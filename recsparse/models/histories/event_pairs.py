"""Pairs of events of one user that are near each other in the order of time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.models.histories.sequences import UNKNOWN_TIME, event_order


class EventPairs(NamedTuple):
    """Some pairs of events, each of one user.

    Attributes:
        earlier: int64 (n,), the item of the earlier event.
        later: int64 (n,), that of the later one.
        weight: float64 (n,), the product of their weights.
        apart: By how many events they are apart.
    """

    earlier: np.ndarray
    later: np.ndarray
    weight: np.ndarray
    apart: int


def event_pairs(
    history: csr_matrix, times: csr_matrix | None, farthest: int
) -> Iterator[EventPairs]:
    """Go through the pairs of each user's events that are near each other.

    Args:
        history: Users × items, each cell the weight of an event.
        times: The time of each event; those of unknown time are in no pair.
        farthest: By how many events the two may be apart.

    Yields:
        Every such pair once, those of one distance at a time.

    Raises:
        InputError: If there are no times, or not one for each cell.
    """
    order = event_order(history, times)
    known = np.zeros(0) if times is None else times.data[order] != UNKNOWN_TIME
    lengths = np.diff(history.indptr)
    row = np.repeat(np.arange(history.shape[0]), lengths)
    item, weight = history.indices[order].astype(np.int64), history.data[order].astype(np.float64)
    farthest = min(farthest, int(lengths.max(initial=0)) - 1)
    for apart in range(1, farthest + 1):
        place = np.flatnonzero((row[apart:] == row[:-apart]) & known[apart:] & known[:-apart])
        later = place + apart
        yield EventPairs(item[place], item[later], weight[place] * weight[later], apart)
