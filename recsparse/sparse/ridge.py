"""Ridge pooling: one small least-squares problem per row, solved in a batch, differentiable."""

from functools import reduce
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.gram import segment_gram
from recsparse.sparse.precision import widened
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
    of any order flow to every argument but the pointers; those of the first cost one solve per row
    and two products per cell. Low-precision types are solved in float32, under autocast too.

    Args:
        feats: The vector `h_i` of each cell, sorted by row.
        weights: The weight `w_i` of each cell, not negative.
        row_ptr: Row r owns the cells `row_ptr[r]` to `row_ptr[r + 1] - 1`.
        prior_gram: The matrix `G`, symmetric and positive semi-definite.
        ridge: The positive number `r` of each row.

    Returns:
        One vector `p` a row, of the widest type of the arguments; zero for a row without cells.

    Raises:
        InputError: If the matrix of a row is not positive definite, as with a ridge of zero over
            dependent vectors, a negative weight, or NaN.

    Example:
        >>> ones = torch.ones(1, 1)
        >>> ridge_pool(ones, torch.ones(1), torch.tensor([0, 1]), 0 * ones, torch.ones(1)).item()
        0.5
    """
    parts = feats, weights, prior_gram, ridge
    kind = reduce(torch.promote_types, (part.dtype for part in parts))
    # In low precision the matrices would lose their definiteness, and LAPACK solves none.
    with torch.autocast(feats.device.type, enabled=False):
        feats, weights, prior_gram, ridge = (widened(part.to(kind)) for part in parts)
        cells = feats, weights, row_ptr, prior_gram, ridge
        with torch.no_grad():
            factor = _cholesky(_left_side(*cells))
        right = segment_sum(weights.unsqueeze(1) * feats, row_ptr)
        solved: Tensor = _Solve.apply(*cells, right, factor)  # type: ignore[no-untyped-call]
    return solved.to(kind)


class _Solve(torch.autograd.Function):
    """`p_r = A_r^-1 b_r` with the matrix `A_r = sum_i w_i h_i h_i^T + G + r I` of each row.

    With `z = A^-1 dp` the chain rule gives `db = z` and `dA = -(z p^T + p z^T) / 2`, hence
    `dw_i = -(h_i z) (h_i p)`, `dh_i = -w_i ((h_i z) p + (h_i p) z)`, `dG = sum_r dA` and
    `dr = -z p`: of the size of the matrices, only their Cholesky factors are kept. `z` is such a
    solution itself, so that gradients have gradients of any order.
    """

    @staticmethod
    def forward(  # noqa: PLR0913 (what the matrices are made of, and the right sides)
        ctx: Any,
        feats: Tensor,
        weights: Tensor,
        row_ptr: Tensor,
        prior_gram: Tensor,
        ridge: Tensor,
        right: Tensor,
        factor: Tensor,
    ) -> Tensor:
        solved = torch.cholesky_solve(right.unsqueeze(2), factor).squeeze(2)
        ctx.save_for_backward(feats, weights, row_ptr, prior_gram, ridge, factor, solved)
        return solved

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        *cells, factor, solved = ctx.saved_tensors
        feats, weights, row_ptr, _, _ = cells
        adjoint: Tensor = _Solve.apply(*cells, grad, factor)  # type: ignore[no-untyped-call]
        row = segment_of_rows(row_ptr)
        solved_of_cell, adjoint_of_cell = solved.index_select(0, row), adjoint.index_select(0, row)
        along_solved = (feats * solved_of_cell).sum(dim=1, keepdim=True)
        along_adjoint = (feats * adjoint_of_cell).sum(dim=1, keepdim=True)
        grad_feats = grad_weights = None
        if ctx.needs_input_grad[0]:
            outer = along_adjoint * solved_of_cell + along_solved * adjoint_of_cell
            grad_feats = -weights.unsqueeze(1) * outer
        if ctx.needs_input_grad[1]:
            grad_weights = -(along_adjoint * along_solved).squeeze(1)
        with torch.autocast(grad.device.type, enabled=False):
            outer = adjoint.T @ solved
        grad_prior, grad_ridge = -(outer + outer.T) / 2, -(adjoint * solved).sum(dim=1)
        return grad_feats, grad_weights, None, grad_prior, grad_ridge, adjoint, None


def _left_side(
    feats: Tensor, weights: Tensor, row_ptr: Tensor, prior_gram: Tensor, ridge: Tensor
) -> Float[Tensor, "rows c c"]:
    left = segment_gram(feats, weights, row_ptr).add_(prior_gram)
    left.diagonal(dim1=1, dim2=2).add_(ridge.unsqueeze(1))
    return left


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
