"""From scores to lists: seen items masked, the k best taken, ties in a stated order."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError
from recsparse.metrics.best_of_rows import RowsToRank
from recsparse.metrics.best_products import ProductsToRank

_NO_ITEMS = np.zeros(0, dtype=np.int64)


def mask_seen(scores: Float[Tensor, "b m"], history: csr_matrix) -> Float[Tensor, "b m"]:
    """Return the scores with −inf at the items of each user's history.

    Args:
        scores: One row per user.
        history: One row per user.

    Returns:
        A new tensor; the scores themselves where no history has an item.

    Raises:
        InputError: If the shapes differ.
    """
    _require_shape(scores, history)
    if not history.nnz:
        return scores
    coo = history.tocoo()
    seen = torch.from_numpy(coo.row).long(), torch.from_numpy(coo.col).long()
    return scores.index_put(seen, scores.new_tensor(-torch.inf))


def top_k(scores: Float[Tensor, "b m"], k: int) -> tuple[Int[Tensor, "b k"], Float[Tensor, "b k"]]:
    """Return the k best items of each row; of equal scores, the lower index ranks first.

    Args:
        scores: One row per user; items with −inf or NaN are never taken.
        k: Length of the lists.

    Returns:
        Item indices, -1 where fewer than k items are left, and their scores, −inf there.

    Raises:
        InputError: If k is below 1.

    Example:
        >>> top_k(torch.tensor([[1.0, 3.0, 3.0]]), 2)[0].tolist()
        [[1, 2]]
    """
    index = _best(scores, None, k, _NO_ITEMS)
    return index, scores_of_lists(scores, index)


def scores_of_lists(
    scores: Float[Tensor, "b m"], index: Int[Tensor, "b k"]
) -> Float[Tensor, "b k"]:
    """Return the scores of listed items.

    Args:
        scores: One row per user.
        index: Items; −1 stands for none.

    Returns:
        One score each, −∞ for none.
    """
    if not scores.shape[1]:
        return scores.new_full(index.shape, -torch.inf)
    return scores.gather(1, index.clamp(min=0)).masked_fill(index < 0, -torch.inf)


def top_k_unseen(
    scores: Float[Tensor, "b m"],
    history: csr_matrix | None,
    k: int,
    candidates: NDArray[np.bool_] | None = None,
) -> Int[Tensor, "b k"]:
    """Return the k best items of each row that are not in its history, as `top_k` would.

    Args:
        scores: One row per user; they stay as they are, and are never copied as a whole.
        history: One row per user; None for none.
        k: Length of the lists.
        candidates: Which items may be taken; None for all.

    Returns:
        Item indices, -1 where fewer than k items are left.

    Raises:
        InputError: If k is below 1, or the shapes differ.

    Example:
        >>> top_k_unseen(torch.tensor([[1.0, 3.0, 2.0]]), csr_matrix([[0, 1, 0]]), 2).tolist()
        [[2, 0]]
    """
    if history is not None:
        _require_shape(scores, history)
    excluded = _NO_ITEMS if candidates is None else np.flatnonzero(~candidates)
    return _best(scores, history, k, excluded)


def top_products(
    users: Float[Tensor, "b d"],
    items: Float[Tensor, "m d"],
    seen: csr_matrix | None,
    k: int,
    candidates: NDArray[np.bool_] | None = None,
) -> tuple[Int[Tensor, "b k"], Float[Tensor, "b k"]]:
    """Return the k best items of each user by inner products; few products are held at a time.

    Args:
        users: The vectors of users, float32, on the CPU.
        items: The vectors of items, likewise.
        seen: One row per user: items that are not taken; None for none.
        k: Length of the lists.
        candidates: Which items may be taken; None for all.

    Returns:
        The same as `top_k`.

    Raises:
        InputError: If k is below 1.

    Example:
        >>> top_products(torch.ones(1, 1), torch.tensor([[1.0], [3.0]]), None, 1)[0].tolist()
        [[1]]
    """
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    excluded = _NO_ITEMS if candidates is None else np.flatnonzero(~candidates)
    ranked = ProductsToRank(users.contiguous(), items.contiguous(), seen, excluded, k)
    index, value = ranked.best(torch.get_num_threads())
    return torch.from_numpy(index), torch.from_numpy(value)


def usable_scores(scores: Float[Tensor, "b m"]) -> NDArray[np.floating]:
    """Return scores as an array, −inf for NaN.

    Args:
        scores: One row per user.

    Returns:
        float64 as it is, all else as float32, which holds the shorter types.
    """
    values = _array(scores)
    return np.where(np.isnan(values), -np.inf, values) if np.isnan(values).any() else values


def _best(
    scores: Float[Tensor, "b m"],
    seen: csr_matrix | None,
    k: int,
    excluded: NDArray[np.int64],
) -> Int[Tensor, "b k"]:
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    found = RowsToRank(_array(scores), seen, excluded, k).best(torch.get_num_threads())
    return torch.from_numpy(found).to(scores.device)


def _array(scores: Float[Tensor, "b m"]) -> NDArray[np.floating]:
    scores = scores.detach().cpu()
    values: NDArray[np.floating] = scores.to(
        scores.dtype if scores.dtype == torch.float64 else torch.float32
    ).numpy()
    return values


def _require_shape(scores: Float[Tensor, "b m"], history: csr_matrix) -> None:
    if tuple(scores.shape) != history.shape:
        raise InputError(
            f"scores and history must have one shape, but got {tuple(scores.shape)} and "
            f"{history.shape}"
        )
