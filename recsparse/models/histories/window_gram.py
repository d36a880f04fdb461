"""Items that are close in time: the Gram matrix of windows that slide along each user's events."""

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.models.histories.event_pairs import event_pairs
from recsparse.models.protocol.column_sums import column_sums


def window_gram(history: csr_matrix, times: csr_matrix | None, events: int) -> np.ndarray:
    """Return how often items stand in one window, instead of in one row.

    A window of that many events slides along each user's events, one event after the other, from
    the first to the last: a box kernel along time on the user × time × item grid. Each window is a
    row of a matrix whose Gram matrix, divided by `events`, this is. So two events that are d apart
    count `1 − d / events`, and one with itself counts 1, as in the Gram matrix of the history.
    Time grows with the history's cells times `events`, memory with the square of the items.

    Args:
        history: Users × items, each cell the weight of an event.
        times: The time of each event; those of unknown time share a window with none.
        events: Length of a window, 1 or more.

    Returns:
        Items × items, symmetric, float64.

    Raises:
        InputError: If there are no times, or not one for each cell.
    """
    num_items = history.shape[1]
    gram = np.diag(column_sums(history.power(2)))
    for earlier, later, weight, apart in event_pairs(history, times, events - 1):
        share = (1.0 - apart / events) * weight
        # On one axis numpy adds fast.
        np.add.at(gram.reshape(-1), earlier * num_items + later, share)
        np.add.at(gram.reshape(-1), later * num_items + earlier, share)
    return gram
