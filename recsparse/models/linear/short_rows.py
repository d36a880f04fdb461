"""Ridge regressions of rows with fewer cells than factors, by systems of the size of the row."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

# Cells a factor, up to which a system of the size of the row is the faster one.
LONGEST_SHORT_ROW = 0.75
# Numbers in the vectors of the rows that are solved at once: 1 MB, which stay near the processor.
_ROWS_SIZE = 2**18


class RotatedColumns(NamedTuple):
    """The factors of the columns in the axes of their Gram matrix, where it is diagonal.

    Attributes:
        columns: One row per column, and a row of zeros behind them.
        axes: The eigenvectors of the prior Gram matrix, one per column of this.
        spread: Its eigenvalues, not negative.
    """

    columns: Float[Tensor, "m_1 d"]
    axes: Float[Tensor, "d d"]
    spread: Float[Tensor, " d"]

    @classmethod
    def of(
        cls, columns: Float[Tensor, "m d"], prior_gram: Float[Tensor, "d d"]
    ) -> "RotatedColumns":
        """Rotate the factors of the columns.

        Args:
            columns: One row per column.
            prior_gram: The matrix that all rows have in common, symmetric, not negative.

        Returns:
            The rotated factors.
        """
        spread, axes = torch.linalg.eigh(prior_gram.double())
        axes, spread = axes.to(columns.dtype), spread.clamp(min=0).to(columns.dtype)
        nothing = columns.new_zeros(1, columns.shape[1])
        return cls(torch.cat([columns @ axes, nothing]), axes, spread)

    def suits(self, ridge: Float[Tensor, " rows"]) -> bool:
        """Say whether the systems are well enough conditioned.

        Args:
            ridge: That of each row.

        Returns:
            False where the regularisation is next to nothing.
        """
        if not len(ridge):
            return True
        rounding = torch.finfo(self.columns.dtype).eps
        least, most = self.spread.min() + ridge.min(), self.spread.max() + ridge.max()
        longest = self.columns.square().sum(dim=1).max()
        return bool(least > 100 * rounding * most and least > 10 * rounding * longest)


def solve_short_rows(
    rotated: RotatedColumns,
    cells: Int[Tensor, "rows n"],
    weights: Float[Tensor, "rows n"],
    ridge: Float[Tensor, " rows"],
) -> Float[Tensor, "rows d"]:
    """Solve `(sum_i w_i h_i h_i^T + G + r I) p = sum_i w_i h_i` for rows of few cells.

    With `D = G + r I` diagonal and the rows of `H` the vectors `sqrt(w_i) h_i`, the solution is
    `D^-1 H^T (I + H D^-1 H^T)^-1 sqrt(w)`: a system of as many unknowns as there are cells, by the
    identity of Woodbury (Petersen and Pedersen 2012, The Matrix Cookbook, section 3.2.2).

    Args:
        rotated: The factors of the columns.
        cells: The columns of each row; behind the last one, the row of zeros.
        weights: Of these, not negative; 0 behind the last one.
        ridge: The positive number `r` of each row.

    Returns:
        One vector per row.
    """
    root = weights.to(rotated.columns.dtype).sqrt()
    vectors = rotated.columns[cells] * root.unsqueeze(2)
    diagonal = (rotated.spread + ridge.unsqueeze(1)).unsqueeze(1)
    scaled = vectors / diagonal
    system = scaled @ vectors.transpose(1, 2)
    system.diagonal(dim1=1, dim2=2).add_(1.0)
    factor = torch.linalg.cholesky(system)
    shares = torch.cholesky_solve(root.unsqueeze(2), factor)
    return (shares.transpose(1, 2) @ scaled).squeeze(1) @ rotated.axes.T


def short_row_blocks(length: NDArray[np.integer], factors: int) -> Iterator[NDArray[np.int64]]:
    """Yield rows of like lengths, so few at a time that their vectors stay near the processor.

    Args:
        length: Cells of each row; those without any are left out.
        factors: Numbers in a vector.

    Yields:
        Rows, by rising length.
    """
    order = np.argsort(length, kind="stable")
    first = int(np.searchsorted(length[order], 1))
    while first < len(order):
        longest = 2 * int(length[order[first]])
        most = max(1, _ROWS_SIZE // (longest * factors))
        alike = int(np.searchsorted(length[order], longest))
        some = order[first : min(first + most, alike)]
        yield some
        first += len(some)


def padded_rows(
    rows: csr_matrix, some: NDArray[np.int64]
) -> tuple[Int[Tensor, "rows n"], Float[Tensor, "rows n"]]:
    """Return the cells of some rows, as `solve_short_rows` takes them.

    Args:
        rows: Interactions.
        some: Which rows, each with a cell.

    Returns:
        The column of each cell, one past the last column behind a row's end, and its weight, 0
        there.
    """
    start, length = rows.indptr[some], rows.indptr[some + 1] - rows.indptr[some]
    offset = np.arange(length.max())
    is_cell = offset < length[:, None]
    place = np.where(is_cell, start[:, None] + offset, 0)
    cells = np.where(is_cell, rows.indices[place], rows.shape[1]).astype(np.int64)
    weights = np.where(is_cell, rows.data[place], 0)
    return torch.from_numpy(cells), torch.from_numpy(weights)
