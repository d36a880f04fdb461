"""Pooling of active cells: along an axis, over a sample, and by least squares over a row."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.sparse.pooling import Reduce, axis_pool, check_reduce
from recsparse.sparse.ridge import ridge_pool
from recsparse.sparse.tensor import SparseTensor


class AxisPool(nn.Module):
    """The sum, mean or maximum of the active cells along one axis.

    Args:
        axis: The axis that goes away, from 0.
        reduce: How cells are combined.

    Raises:
        InputError: If `reduce` is unknown.
    """

    def __init__(self, axis: int, reduce: Reduce = "mean") -> None:
        super().__init__()
        self.axis = axis
        check_reduce(reduce)
        self.reduce = reduce

    def forward(self, x: SparseTensor) -> Float[Tensor, "b *kept c"]:
        """Pool along the axis.

        Args:
            x: Features (n, c).

        Returns:
            Dense, (batch, *the other axes, c); zero where a line has no active cell.

        Raises:
            InputError: If there is no such axis.
        """
        num_axes = len(x.spatial_shape)
        if not 0 <= self.axis < num_axes:
            raise InputError(f"axis must be from 0 to {num_axes - 1}, but got {self.axis}")
        kept = [axis for axis in range(num_axes) if axis != self.axis]
        sizes = [x.spatial_shape[axis] for axis in kept]
        return axis_pool(x, kept, self.reduce).reshape(x.batch_size, *sizes, x.num_channels)


class GlobalPool(nn.Module):
    """The sum, mean or maximum of all active cells of each sample.

    Args:
        reduce: How cells are combined.

    Raises:
        InputError: If `reduce` is unknown.
    """

    def __init__(self, reduce: Reduce = "mean") -> None:
        super().__init__()
        check_reduce(reduce)
        self.reduce = reduce

    def forward(self, x: SparseTensor) -> Float[Tensor, "b c"]:
        """Pool every sample.

        Args:
            x: Features (n, c).

        Returns:
            One row a sample; zero for one without active cells.
        """
        return axis_pool(x, (), self.reduce)


class RidgePool(nn.Module):
    """The least-squares vector of each row: what, multiplied with the cells' features, gives 1.

    `p_r = (sum_i w_i h_i h_i^T + a G + l (n_r + a m) I)^-1 sum_i w_i h_i` over the active cells i
    of row r with features `h_i`; `G` is the Gram matrix of the m columns' vectors. The weight `a`
    of an empty cell and the ridge `l`, scaled by frequency as Rendle et al. 2021 do
    (https://arxiv.org/abs/2110.14037), are learned as logarithms.

    Args:
        unobserved_weight: Where `a` starts; positive.
        regularisation: Where `l` starts; positive.

    Raises:
        InputError: If one of them is not positive.
    """

    def __init__(self, unobserved_weight: float, regularisation: float) -> None:
        super().__init__()
        if not (unobserved_weight > 0 and regularisation > 0):
            raise InputError(
                "unobserved_weight and regularisation must be positive, but got "
                f"{unobserved_weight} and {regularisation}"
            )
        self.log_unobserved_weight = nn.Parameter(torch.tensor(unobserved_weight).log())
        self.log_regularisation = nn.Parameter(torch.tensor(regularisation).log())

    def forward(
        self,
        x: SparseTensor,
        weights: Float[Tensor, " n"],
        column_vectors: Float[Tensor, "m c"],
    ) -> Float[Tensor, "rows c"]:
        """Solve the ridge regression of each row.

        Args:
            x: Features (n, c), one sample, two axes: rows and m columns.
            weights: The weight of each cell, not negative.
            column_vectors: One vector a column.

        Returns:
            One vector a row; zero for a row without active cells.

        Raises:
            InputError: If there are more samples, not two axes, or another number of columns.
        """
        if x.batch_size != 1 or len(x.spatial_shape) != 2:
            raise InputError(
                "RidgePool needs one sample of two axes, but got "
                f"{x.batch_size} samples of {len(x.spatial_shape)} axes"
            )
        if len(column_vectors) != x.spatial_shape[1]:
            raise InputError(
                "column_vectors must have one row for each column of the grid, but got "
                f"{len(column_vectors)} for {x.spatial_shape[1]}"
            )
        unobserved = self.log_unobserved_weight.exp()
        row_ptr = _row_ptr(x.coords[:, 1], x.spatial_shape[0])
        # Without columns every row is zero; a ridge of zero would leave it without a solution.
        num_columns = max(len(column_vectors), 1)
        ridge = self.log_regularisation.exp() * (row_ptr.diff() + unobserved * num_columns)
        prior_gram = unobserved * (column_vectors.T @ column_vectors)
        return ridge_pool(x.feats, weights, row_ptr, prior_gram, ridge)


def _row_ptr(rows: Int[Tensor, " n"], num_rows: int) -> Int[Tensor, " rows_1"]:
    counts = torch.bincount(rows, minlength=num_rows)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
