"""From scores to lists: seen items masked, the k best taken, ties in a stated order."""

import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.errors import InputError

# Scores of rows with ties that are looked through at a time, which takes several copies of them.
_TIED_AT_ONCE = 1_000_000


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
    if tuple(scores.shape) != history.shape:
        raise InputError(
            f"scores and history must have one shape, but got {tuple(scores.shape)} and "
            f"{history.shape}"
        )
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
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    num_rows, num_items = scores.shape
    taken = min(k, num_items)
    index = scores.new_full((num_rows, k), -1, dtype=torch.int64)
    value = scores.new_full((num_rows, k), -torch.inf)
    if taken and num_rows:
        value[:, :taken], index[:, :taken] = _sorted_best(scores, taken)
    return index.masked_fill(value == -torch.inf, -1), value


def _sorted_best(scores: Float[Tensor, "b m"], k: int) -> tuple[Tensor, Tensor]:
    """Return values and indices of the k best, ties by index; `torch.topk` alone leaves ties open.

    One place more than asked for tells where equal scores would be cut apart; `torch.topk` takes
    NaN for the largest number, so that the first place tells of them. Such rows are few.
    """
    value, index = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    unclear = value[:, 0].isnan()
    if value.shape[1] > k:
        last, after = value[:, k - 1], value[:, k]
        unclear |= (last == after) & (last > -torch.inf)
    value, index = value[:, :k], index[:, :k]
    for some in unclear.nonzero()[:, 0].split(max(1, _TIED_AT_ONCE // scores.shape[1])):
        value[some], index[some] = _best_of_tied(scores[some], k)
    index, order = index.sort(dim=1)
    value, order = value.gather(1, order).sort(dim=1, descending=True, stable=True)
    return value, index.gather(1, order)


def _best_of_tied(scores: Float[Tensor, "b m"], k: int) -> tuple[Tensor, Tensor]:
    """Return the k best of rows with NaN, or with equal scores at the end of the list.

    Everything above the k-th value is in the list; of the items equal to it, the first few are.
    """
    usable = torch.where(scores.isnan(), -torch.inf, scores)
    threshold = usable.topk(k, dim=1).values[:, -1:]
    above = usable > threshold
    at_threshold = usable == threshold
    places = k - above.sum(dim=1, keepdim=True)
    chosen = above | (at_threshold & (at_threshold.cumsum(dim=1) <= places))
    index = chosen.nonzero()[:, 1].view(len(scores), k)
    return usable.gather(1, index), index
