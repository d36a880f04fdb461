"""Ranking metrics, a user at a time; pure functions of recommended lists and target items."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError

FORMULAS: Mapping[str, str] = {
    "ndcg@k": "sum over hits of 1 / log2(rank + 1), divided by that of an ideal list: "
    "min(k, targets) hits at the top",
    "recall@k": "hits in the first k, divided by targets",
    "precision@k": "hits in the first k, divided by k",
    "map@k": "sum over hits of the precision at their rank, divided by targets",
    "mrr@k": "1 / rank of the first hit, 0 without a hit",
    "hit_rate@k": "1 if there is a hit in the first k, else 0",
    "coverage@k": "items in anyone's first k, divided by all items",
}


def ranking_metrics(
    recommended: Int[Tensor, "b k_max"], targets: csr_matrix, ks: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Return each user's metrics at each list length, as `FORMULAS` defines them.

    Relevance is binary: an item of a user's target row is relevant, whatever its weight.

    Args:
        recommended: Item indices, the best first; -1 stands for no item. No item twice in a row.
        targets: One row per user.
        ks: List lengths.

    Returns:
        One value per user for names such as `ndcg@10`; NaN for a user without targets.

    Raises:
        InputError: If a list length is below 1 or above the lists, or the users differ.

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
    if len(recommended) != targets.shape[0]:
        raise InputError(
            f"there must be one list per user, but got {len(recommended)} for {targets.shape[0]}"
        )
    wanted = _distinct_cells(targets)
    hits = _hits(recommended.numpy(), wanted, targets.shape[1])
    row = wanted // max(targets.shape[1], 1)
    num_targets = np.bincount(row, minlength=targets.shape[0]).astype(np.float64)
    metrics: dict[str, NDArray[np.float64]] = {}
    for k in ks:
        for name, values in _at(k, hits[:, :k], num_targets).items():
            metrics[f"{name}@{k}"] = np.where(num_targets > 0, values, np.nan)
    return metrics


def coverage(recommended: Int[Tensor, "b k_max"], num_items: int, k: int) -> float:
    """Return the share of the catalogue that is in any user's first k.

    Args:
        recommended: Item indices, -1 for no item.
        num_items: Size of the catalogue.
        k: List length.

    Returns:
        From 0 to 1; NaN for an empty catalogue.
    """
    if num_items == 0:
        return float("nan")
    shown = recommended[:, :k].unique()
    return int((shown >= 0).sum()) / num_items


def _distinct_cells(targets: csr_matrix) -> NDArray[np.int64]:
    """Return row × width + column of each cell, rising, a cell that is stored twice once."""
    coo = targets.tocoo()
    cells = coo.row.astype(np.int64) * targets.shape[1] + coo.col
    return cells if (np.diff(cells) > 0).all() else np.unique(cells)


def _hits(
    recommended: NDArray[np.int64], wanted: NDArray[np.int64], num_items: int
) -> NDArray[np.float64]:
    """Return 1 where a recommended item is one of the rising cells `wanted`, else 0."""
    if not len(wanted):
        return np.zeros(recommended.shape)
    offered = np.arange(len(recommended))[:, None] * num_items + recommended
    place = np.searchsorted(wanted, offered).clip(max=len(wanted) - 1)
    return ((wanted[place] == offered) & (recommended >= 0)).astype(np.float64)


def _at(
    k: int, hits: NDArray[np.float64], num_targets: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Return all metrics of lists of length k; users without targets get some finite value."""
    rank = np.arange(1, k + 1)
    discount = 1 / np.log2(rank + 1)
    ideal = np.concatenate([[0.0], discount.cumsum()])[np.minimum(num_targets, k).astype(int)]
    total = hits.sum(axis=1)
    precision_at_hits = (hits * hits.cumsum(axis=1) / rank).sum(axis=1)
    some_targets = np.maximum(num_targets, 1)
    return {
        # A product of matrices would round a row by what else is in its batch.
        "ndcg": (hits * discount).sum(axis=1) / np.maximum(ideal, 1e-12),
        "recall": total / some_targets,
        "precision": total / k,
        "map": precision_at_hits / some_targets,
        "mrr": (hits / rank).max(axis=1, initial=0.0),
        "hit_rate": (total > 0).astype(np.float64),
    }
