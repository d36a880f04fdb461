"""Ridge pooling: one small least-squares problem a row, solved in a batch, differentiable."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsparse.errors import InputError
from recsparse.sparse.gram import segment_gram
from recsparse.sparse.scatter import segment_of_rows, segment_sum


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
    flow to every argument but the pointers; their cost is one solve a row and two products a cell.

    Args:
        feats: The vector `h_i` of each cell, sorted by row.
        weights: The weight `w_i` of each cell, not negative.
        row_ptr: Row r owns the cells `row_ptr[r]` to `row_ptr[r + 1] - 1`.
        prior_gram: The matrix `G`, symmetric and positive semi-definite.
        ridge: The positive number `r` of each row.

    Returns:
        One vector `p` a row; zero for a row without cells.

    Raises:
        InputError: If the matrix of a row is not positive definite, as with a ridge of zero over
            dependent vectors, a negative weight, or NaN.

    Example:
        >>> ones = torch.ones(1, 1)
        >>> ridge_pool(ones, torch.ones(1), torch.tensor([0, 1]), 0 * ones, torch.ones(1)).item()
        0.5
    """
    solved: Tensor = _RidgePool.apply(feats, weights, row_ptr, prior_gram, ridge)  # type: ignore[no-untyped-call]
    return solved


class _RidgePool(torch.autograd.Function):
    """The solve, with the gradient of its cells in closed form.

    With `A p = b`, `z = A^-1 dp` and `e_i = 1 - h_i p`, the chain rule gives `dw_i = (h_i z) e_i`,
    `dh_i = w_i (e_i z - (h_i z) p)`, `dG = -sum_r (z p^T + p z^T) / 2` and `dr = -z p`: of the size
    of the Gram matrices, only their Cholesky factors are kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        feats: Tensor,
        weights: Tensor,
        row_ptr: Tensor,
        prior_gram: Tensor,
        ridge: Tensor,
    ) -> Tensor:
        left = segment_gram(feats, weights, row_ptr).add_(prior_gram)
        left.diagonal(dim1=1, dim2=2).add_(ridge.unsqueeze(1))
        factor = _cholesky(left)
        pooled = _solve(segment_sum(weights.unsqueeze(1) * feats, row_ptr), factor)
        ctx.save_for_backward(feats, weights, segment_of_rows(row_ptr), factor, pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        feats, weights, row, factor, pooled = ctx.saved_tensors
        adjoint = _solve(grad, factor)
        along_adjoint = (feats * adjoint[row]).sum(dim=1)
        residual = 1 - (feats * pooled[row]).sum(dim=1)
        grad_feats = grad_weights = None
        if ctx.needs_input_grad[0]:
            change = residual.unsqueeze(1) * adjoint[row] - along_adjoint.unsqueeze(1) * pooled[row]
            grad_feats = weights.unsqueeze(1) * change
        if ctx.needs_input_grad[1]:
            grad_weights = along_adjoint * residual
        outer = adjoint.T @ pooled
        return grad_feats, grad_weights, None, -(outer + outer.T) / 2, -(adjoint * pooled).sum(1)


def _solve(right: Float[Tensor, "rows c"], factor: Float[Tensor, "rows c c"]) -> Tensor:
    return torch.cholesky_solve(right.unsqueeze(2), factor).squeeze(2)


def _cholesky(left: Float[Tensor, "rows c c"]) -> Float[Tensor, "rows c c"]:
    factor, failed = torch.linalg.cholesky_ex(left)
    # An infinite entry is no failure to LAPACK, so the factor is looked at too.
    broken = (failed != 0) | ~factor.diagonal(dim1=1, dim2=2).isfinite().all(dim=1)
    if broken.any():
        raise InputError(
            f"the matrix of each row must be positive definite, but {int(broken.sum())} of "
            f"{len(left)} are not; the first is that of row {int(broken.nonzero()[0])}; raise its "
            "ridge, and look for NaN or negative weights"
        )
    return factor
