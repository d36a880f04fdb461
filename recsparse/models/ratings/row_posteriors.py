"""Posteriors of rows: one Bayesian linear regression per row on the vectors of its columns."""

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.sparse.gram import segment_gram
from recsparse.sparse.scatter import segment_sum

# Numbers in the d × d systems that are solved at once, few enough to stay near the processor.
_SYSTEM_SIZE = 2**18


def row_posteriors(
    rows: csr_matrix,
    columns: Float[Tensor, "m d"],
    prior_mean: Float[Tensor, "_ d"],
    prior_precision: Float[Tensor, "d d"],
    noise_precision: float,
    noise: Float[Tensor, "n d"] | None = None,
) -> Float[Tensor, "n d"]:
    """Infer the vector of each row from its cells.

    With the prior `p ~ N(m, P^-1)` and the cells `y_i ~ N(h_i p, 1 / a)`, `h_i` the vector of the
    cell's column, the posterior of `p` is the normal distribution of precision
    `A = P + a sum_i h_i h_i^T` and mean `A^-1 (P m + a sum_i y_i h_i)` (Salakhutdinov and Mnih
    2008, https://doi.org/10.1145/1390156.1390267, eq. 11 to 13).

    Args:
        rows: The cells; those of value zero count.
        columns: The vectors `h`.
        prior_mean: One mean per row, or a single one for all.
        prior_precision: The matrix `P`, positive definite.
        noise_precision: The number `a`.
        noise: Standard normal numbers, which make samples of the means; None returns the means.

    Returns:
        One vector per row.
    """
    prior_mean = prior_mean.expand(rows.shape[0], -1)
    at_once = max(1, _SYSTEM_SIZE // columns.shape[1] ** 2)
    solved = [columns.new_zeros(0, columns.shape[1])]
    for start in range(0, rows.shape[0], at_once):
        some = slice(start, start + at_once)
        left, right = _systems(rows[some], columns, noise_precision)
        factor = torch.linalg.cholesky(left + prior_precision)
        right = right + prior_mean[some] @ prior_precision
        mean = torch.cholesky_solve(right.unsqueeze(2), factor)
        if noise is not None:
            # The inverse of the transposed factor gives standard normal numbers the covariance.
            above = factor.transpose(1, 2)
            mean += torch.linalg.solve_triangular(above, noise[some].unsqueeze(2), upper=True)
        solved.append(mean.squeeze(2))
    return torch.cat(solved)


def _systems(
    rows: csr_matrix, columns: Tensor, noise_precision: float
) -> tuple[Float[Tensor, "n d d"], Float[Tensor, "n d"]]:
    row_ptr = torch.from_numpy(rows.indptr).long()
    feats = columns[torch.from_numpy(rows.indices).long()]
    values = torch.from_numpy(rows.data).to(feats.dtype)
    weights = torch.full_like(values, noise_precision)
    right = segment_sum((weights * values).unsqueeze(1) * feats, row_ptr)
    return segment_gram(feats, weights, row_ptr), right
