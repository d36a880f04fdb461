"""AUC: how often a target scores higher than another item, over the whole ranked catalogue."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.metrics.top_k import usable_scores


def auc(
    scores: Float[Tensor, "b m"], targets: csr_matrix, others: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share of the pairs of a target and another item that are in the right order.

    A pair of equal scores counts half. A target with −inf or NaN, or of a column that the scores do
    not have, cannot be ranked and loses all of its pairs; another item with such a score loses its
    pairs with targets that can.

    Args:
        scores: One row per user; −inf for items that may not be ranked, such as those of the
            history.
        targets: One row per user, perhaps with further columns.
        others: How many items besides the targets may be ranked for each user.

    Returns:
        One value per user, from 0 to 1; NaN without targets or without others.

    Example:
        >>> import torch
        >>> auc(torch.tensor([[3.0, 2.0, 1.0]]), csr_matrix([[0.0, 1, 0]]), np.array([2])).item()
        0.5
    """
    values = np.full(len(scores), np.nan)
    for user, row in enumerate(usable_scores(scores)):
        wanted = np.unique(targets.indices[targets.indptr[user] : targets.indptr[user + 1]])
        if not len(wanted) or others[user] < 1:
            continue
        of_targets = row[wanted[wanted < len(row)]]
        of_targets = np.sort(of_targets[of_targets > -np.inf])
        ranked = np.sort(row)
        above = _above(ranked, of_targets) - _above(of_targets, of_targets)
        equal = _equal(ranked, of_targets) - _equal(of_targets, of_targets)
        won = others[user] - above - equal / 2
        values[user] = won.sum() / (len(wanted) * others[user])
    return values


def num_others(
    history: csr_matrix, targets: csr_matrix, candidates: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Count the items besides the targets that may be ranked for each user.

    Args:
        history: One row per user; its items may not be ranked.
        targets: One row per user, perhaps with further columns, which may not be ranked.
        candidates: Which items of the history may be ranked at all.

    Returns:
        One number per user.
    """
    num_items = len(candidates)
    left_out = _stored(history) + _stored(csr_matrix(targets[:, :num_items]))
    return np.asarray(candidates.sum() - _stored(left_out) @ candidates.astype(np.int64))


def _stored(matrix: csr_matrix) -> csr_matrix:
    """Return 1 in each stored cell."""
    matrix = csr_matrix(matrix, copy=True)
    matrix.sum_duplicates()
    ones = np.ones(matrix.nnz, dtype=np.int64)
    return csr_matrix((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def _above(rising: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    return len(rising) - np.searchsorted(rising, scores, side="right")


def _equal(rising: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    last = np.searchsorted(rising, scores, side="right")
    return last - np.searchsorted(rising, scores, side="left")
