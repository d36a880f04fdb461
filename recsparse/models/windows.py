"""Items that are close in time: the Gram matrix of windows that slide along each user's events."""

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsparse.models.sequences import UNKNOWN_TIME, event_order


def window_gram(history: csr_matrix, times: csr_matrix | None, events: int) -> csr_matrix:
    """Return how often items stand in one window, instead of in one row.

    A window of so many events slides along each user's events, one event after the other, from the
    first to the last: a box kernel along time on the user × time × item grid. Each window is a row
    of a matrix whose Gram matrix, divided by `events`, this is. So two events that are d apart
    count `1 − d / events`, and one with itself counts 1, as in the Gram matrix of the history.
    Memory and time grow with the history's cells times `events` at most.

    Args:
        history: Users × items, each cell the weight of an event.
        times: The time of each event; those of unknown time share a window with none.
        events: Length of a window, 1 or more.

    Returns:
        Items × items, symmetric, float64.

    Raises:
        InputError: If there are no times, or not one for each cell.
    """
    order = event_order(history, times)
    known = np.zeros(0) if times is None else times.data[order] != UNKNOWN_TIME
    row = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    item, weight = history.indices[order], history.data[order].astype(np.float64)
    shape = history.shape[1], history.shape[1]
    # Each pair once, from the earlier event to the later one.
    pairs = csr_matrix(shape)
    longest = int(np.diff(history.indptr).max(initial=0))
    for apart in range(1, min(events, longest)):
        together = (row[apart:] == row[:-apart]) & known[apart:] & known[:-apart]
        share = (1.0 - apart / events) * (weight[apart:] * weight[:-apart])[together]
        places = item[:-apart][together], item[apart:][together]
        pairs = pairs + csr_matrix((share, places), shape=shape)
    diagonal = np.bincount(item, weight**2, minlength=shape[0]).astype(np.float64)
    return csr_matrix(pairs + pairs.T + diags_array(diagonal))
