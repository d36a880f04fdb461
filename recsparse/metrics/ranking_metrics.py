"""Metrics of lists against targets, a user at a time; pure functions of lists and targets."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.metric_names import PER_USER
from recsparse.errors import InputError
from recsparse.metrics.judged_lists import JudgedLists, require_lists

Metric = Callable[[JudgedLists, int], NDArray[np.float64]]
# The largest weight for which 2^weight is still told from its neighbours in sums.
_LARGEST_EXPONENT = 100.0


def ranking_metrics(
    recommended: Int[Tensor, "b k_max"],
    targets: csr_matrix,
    ks: Sequence[int],
    names: Sequence[str] = PER_USER,
) -> dict[str, NDArray[np.float64]]:
    """Return each user's metrics at each list length, as `recsparse metrics` defines them.

    Args:
        recommended: Item indices, the best first; -1 stands for no item.
        targets: One row per user; its weights count in graded metrics alone.
        ks: List lengths. A list shorter than that has empty places, which are no hits.
        names: Which metrics: `ndcg`, `recall`, `precision`, `map`, `mrr`, `hit_rate`,
            `ndcg_linear`, `ndcg_exp`, `capped_recall`.

    Returns:
        One value per user for names such as `ndcg@10`, from 0 to 1; NaN for a user without targets,
        and of graded metrics for one whose targets weigh nothing.

    Raises:
        InputError: If a list length is below 1 or above the lists, the users differ, an item is in
            a list twice, or weights are too large for `ndcg_exp`.

    Example:
        >>> import torch
        >>> targets = csr_matrix([[0.0, 1.0, 1.0]])
        >>> ranking_metrics(torch.tensor([[1, 0]]), targets, [2])["recall@2"].item()
        0.5
    """
    if not ks or min(ks) < 1 or max(ks) > recommended.shape[1]:
        raise InputError(
            f"list lengths must be from 1 to {recommended.shape[1]}, but got {list(ks)}"
        )
    require_lists(recommended.numpy(), targets)
    lists = JudgedLists(recommended.numpy(), targets)
    return {f"{name}@{k}": accuracy(lists, name, k) for k in ks for name in names}


def accuracy(lists: JudgedLists, name: str, k: int) -> NDArray[np.float64]:
    """Return one metric of each list.

    Args:
        lists: At least k long.
        name: Without its length.
        k: Length of the lists.

    Returns:
        From 0 to 1; NaN for a list without targets.

    Raises:
        InputError: If weights are too large for `ndcg_exp`.
    """
    return np.where(lists.has_targets, BY_TARGETS[name](lists, k), np.nan)


def _ndcg(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    ideal = np.concatenate([[0.0], lists.discounts.cumsum()])
    best = ideal[np.minimum(lists.num_targets, k).astype(int)]
    return lists.dcg[:, k - 1] / np.where(best > 0, best, 1.0)


def _recall(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.found[:, k - 1] / np.maximum(lists.num_targets, 1)


def _capped_recall(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.found[:, k - 1] / np.clip(lists.num_targets, 1, k)


def _precision(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.found[:, k - 1] / k


def _map(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return lists.precision_at_hits[:, k - 1] / np.maximum(lists.num_targets, 1)


def _mrr(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    first = lists.hits[:, :k].argmax(axis=1)
    return np.where(lists.found[:, k - 1] > 0, 1 / (first + 1), 0.0)


def _hit_rate(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return (lists.found[:, k - 1] > 0).astype(np.float64)


def _ndcg_linear(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    return _graded(lists, k, _weights(lists))


def _ndcg_exp(lists: JudgedLists, k: int) -> NDArray[np.float64]:
    weights = _weights(lists)
    if weights.max(initial=0.0) > _LARGEST_EXPONENT:
        raise InputError(
            f"ndcg_exp takes 2 to the power of a target's weight, which must be at most "
            f"{_LARGEST_EXPONENT:g}, but one is {weights.max():g}; use ndcg_linear, or prepare the "
            "log with ratings or smaller weights"
        )
    return _graded(lists, k, np.exp2(weights) - 1)


def _weights(lists: JudgedLists) -> NDArray[np.float64]:
    return np.maximum(lists.wanted.data.astype(np.float64), 0.0)


def _graded(lists: JudgedLists, k: int, gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nDCG of targets with gains, in the order of their cells."""
    place = lists.cell[:, :k]
    gained = np.where(place >= 0, np.append(gains, 0.0)[place], 0.0)
    # The k heaviest targets of each list at the places of an ideal one.
    row = np.repeat(np.arange(len(place)), np.diff(lists.wanted.indptr))
    order = np.lexsort((-gains, row))
    rank = np.arange(len(gains)) - lists.wanted.indptr[row]
    top = rank < k
    ideal = np.zeros((len(place), k))
    ideal[row[top], rank[top]] = gains[order][top]
    best = (ideal * lists.discounts[:k]).cumsum(axis=1)[:, -1]
    reached = (gained * lists.discounts[:k]).cumsum(axis=1)[:, -1]
    # Rounding may not lift a sum in another order above that of the ideal one.
    return np.divide(reached, best, out=np.full(len(place), np.nan), where=best > 0).clip(max=1.0)


BY_TARGETS: Mapping[str, Metric] = {
    "ndcg": _ndcg,
    "ndcg_linear": _ndcg_linear,
    "ndcg_exp": _ndcg_exp,
    "recall": _recall,
    "capped_recall": _capped_recall,
    "precision": _precision,
    "map": _map,
    "mrr": _mrr,
    "hit_rate": _hit_rate,
}
