"""Ridge pooling: one small least-squares problem a row, solved in a batch, differentiable."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.sparse.gram import segment_gram


def ridge_pool(
    feats: Float[Tensor, "n c"],
    weights: Float[Tensor, " n"],
    row_ptr: Int[Tensor, " rows_1"],
    prior_gram: Float[Tensor, "c c"],
    ridge: Float[Tensor, " rows"],
) -> Float[Tensor, "rows c"]:
    """Solve `(sum_i w_i h_i h_i^T + G + r I) p = sum_i w_i h_i` for every row.

    This is the user step of implicit ALS (Hu et al. 2008, https://doi.org/10.1109/ICDM.2008.22,
    eq. 4) with `G` the Gram matrix of all items times the weight of an unobserved cell. Gradients
    flow through the Cholesky solve to every argument.

    Args:
        feats: The vector `h_i` of each cell, sorted by row.
        weights: The weight `w_i` of each cell, not negative.
        row_ptr: Row r owns the cells `row_ptr[r]` to `row_ptr[r + 1] - 1`.
        prior_gram: The matrix `G`, symmetric and positive semi-definite.
        ridge: The positive number `r` of each row.

    Returns:
        One vector `p` a row; zero for a row without cells.

    Example:
        >>> ones = torch.ones(1, 1)
        >>> ridge_pool(ones, torch.ones(1), torch.tensor([0, 1]), 0 * ones, torch.ones(1)).item()
        0.5
    """
    right = _segment_total(weights.unsqueeze(1) * feats, row_ptr)
    identity = torch.eye(feats.shape[1], dtype=feats.dtype, device=feats.device)
    left = segment_gram(feats, weights, row_ptr) + prior_gram + ridge.view(-1, 1, 1) * identity
    factor = torch.linalg.cholesky(left)
    return torch.cholesky_solve(right.unsqueeze(2), factor).squeeze(2)


def _segment_total(src: Float[Tensor, "n c"], row_ptr: Int[Tensor, " rows_1"]) -> Tensor:
    num_rows = len(row_ptr) - 1
    row = torch.arange(num_rows, device=src.device).repeat_interleave(row_ptr.diff())
    return src.new_zeros(num_rows, src.shape[1]).index_add(0, row, src)
