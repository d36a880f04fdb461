"""Scores of pairs of a user and an item, from scores of all items for some users at a time."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recsparse.scoring.request_columns import slices


def pair_scores(
    user_index: NDArray[np.int64],
    item_index: NDArray[np.int64],
    scores: Callable[[NDArray[np.int64]], Tensor],
    users_at_once: int,
) -> NDArray[np.float32]:
    """Return the scores of pairs; each user is scored once.

    Args:
        user_index: The user of each pair.
        item_index: The item of each pair.
        scores: Scores all items for some users, one row per user.
        users_at_once: For how many at a time.

    Returns:
        One score per pair, in their order.
    """
    found = np.empty(len(user_index), dtype=np.float32)
    wanted, row = np.unique(user_index, return_inverse=True)
    by_row = np.argsort(row, kind="stable")
    ends = np.searchsorted(row[by_row], np.arange(len(wanted) + 1))
    for rows in slices(len(wanted), users_at_once):
        pairs = by_row[ends[rows.start] : ends[rows.stop]]
        block = scores(wanted[rows]).numpy()
        found[pairs] = block[row[pairs] - rows.start, item_index[pairs]]
    return found
