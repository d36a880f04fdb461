"""Scores of users by their rows, by what else is known of them, or by recent popularity."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.units import SECONDS_A_DAY
from recsparse.models.content.new_items import WithNewItems
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.user_reader import scores_of

# Rows of this many days before the last one count; older ones a little, since new items are few.
RECENT_DAYS = 90
OLDER_ROWS = 0.01
RECENT = f"rows of the last {RECENT_DAYS} days count, older ones a hundredth"

# A score matrix of this many cells takes 160 MB.
_SCORES_AT_ONCE = 40_000_000


def users_at_once(num_items: int) -> int:
    """Return how many users are scored at once, so that memory is bounded.

    Args:
        num_items: Size of the catalogue.

    Returns:
        At least 1.
    """
    return max(1, min(1024, _SCORES_AT_ONCE // max(num_items, 1)))


def recent_popularity(history: csr_matrix, times: csr_matrix | None) -> NDArray[np.float32]:
    """Return each item's share of the weight of recent rows.

    Args:
        history: Users × items.
        times: The time of each cell; None where times are not known, so that all rows are recent.

    Returns:
        One share per item; they sum to 1, where there is any row. Rows that are older than 90 days
        before the last one count a hundredth.
    """
    last = None if times is None or not times.nnz else int(times.data.max())
    return shares(recent_weights(history, times, last))


def recent_weights(
    history: csr_matrix, times: csr_matrix | None, last: int | None
) -> NDArray[np.float64]:
    """Return the weight of each item's rows, of which older ones count a hundredth.

    Args:
        history: Users × items.
        times: The time of each cell; None where times are not known.
        last: The time of the last row of all; None where there is none.

    Returns:
        One sum per item.
    """
    if times is None or last is None:
        return column_sums(history)
    by_cell, when = history.sorted_indices(), times.sorted_indices().data
    is_recent = when >= last - RECENT_DAYS * SECONDS_A_DAY
    weight = by_cell.data * np.where(is_recent, 1.0, OLDER_ROWS)
    return column_sums(csr_matrix((weight, by_cell.indices, by_cell.indptr), shape=history.shape))


def shares(totals: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what part of their sum numbers are.

    Args:
        totals: One per item, none negative.

    Returns:
        Zeros where all of them are.
    """
    return np.asarray(totals / max(totals.sum(), 1e-12), dtype=np.float32)


def scores_or_popularity(
    model: FittedModel,
    popularity: NDArray[np.float32],
    history: csr_matrix,
    times: csr_matrix | None = None,
    users: Features | None = None,
) -> Float[Tensor, "b m"]:
    """Score all items for some users, by popularity where a model knows nothing of a user.

    Args:
        model: A fitted model.
        popularity: The share of each item.
        history: One row of interactions per user.
        times: The time of each interaction; None where times are not known.
        users: Features of these users; None where none are known.

    Returns:
        One row per user; the popularity for a user without interactions, or with those of new items
        alone, for whom the model tells no item from another.
    """
    scores = scores_of(model, history, times, users)
    # Models start from rows of known items alone.
    read = history[:, : model.base.num_items] if isinstance(model, WithNewItems) else history
    empty = torch.from_numpy(np.flatnonzero(np.diff(read.indptr) == 0))
    if len(empty) and scores.shape[1]:
        own = scores[empty]
        are_equal = own.amax(dim=1) == own.amin(dim=1)
        scores[empty[are_equal]] = torch.from_numpy(popularity)
    return scores
