"""Pooling of active cells: along an axis, over a sample, and by least squares over a row."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.kernel import OneOrMany, whole_number
from recsparse.sparse.pooling import (
    Reduce,
    axis_pool,
    check_reduce,
    lines_of_cells,
    reduce_lines,
)
from recsparse.sparse.precision import widened
from recsparse.sparse.ridge import ridge_pool
from recsparse.sparse.tensor import SparseTensor


class LinePool(nn.Module):
    """What pooling along axes has in common: which axes go away, and where the results lie.

    Args:
        axis: The axis that goes away, from 0, or several; None for all, which leaves one vector a
            sample.
        sparse: Return the lines with active cells alone, as a sparse tensor on the other axes.

    Raises:
        InputTypeError: If an axis is no integer.
        InputError: If nothing is left for a sparse tensor.
    """

    def __init__(self, axis: OneOrMany | None, sparse: bool) -> None:
        super().__init__()
        if sparse and axis is None:
            raise InputError("a sparse result needs an axis that stays, but got axis=None")
        self.axis = None if axis is None else _whole(axis)
        self.sparse = sparse

    def pool(
        self, feats: Float[Tensor, "n c"], line: Int[Tensor, " n"], num_lines: int
    ) -> Float[Tensor, "lines c"]:
        """Pool the cells of each line.

        Args:
            feats: One row per cell.
            line: The line of each cell.
            num_lines: Number of lines.

        Returns:
            One row per line.
        """
        raise NotImplementedError

    def forward(self, x: SparseTensor) -> Float[Tensor, "b *kept c"] | SparseTensor:
        """Pool the active cells that agree in the sample and in the axes that stay.

        Args:
            x: Features (n, c).

        Returns:
            Dense, (batch, *the other axes, c), zero where a line has no active cell; or the lines
            that have one, as a sparse tensor.
        """
        kept = self.kept_axes(len(x.spatial_shape))
        if self.sparse:
            grid, line = x.grid.lines(kept)
            return SparseTensor(grid, self.pool(x.feats, line, grid.num_cells))
        line, num_lines = lines_of_cells(x, kept)
        sizes = [x.spatial_shape[axis] for axis in kept]
        return self.pool(x.feats, line, num_lines).reshape(x.batch_size, *sizes, x.num_channels)

    def kept_axes(self, num_axes: int) -> tuple[int, ...]:
        """Return the axes that stay.

        Args:
            num_axes: Number of axes of the grid.

        Returns:
            Their numbers, rising.

        Raises:
            InputError: If the grid lacks an axis that goes away, or a sparse result would have no
                axis.
        """
        if self.axis is None:
            return ()
        gone = (self.axis,) if isinstance(self.axis, int) else self.axis
        if not all(0 <= axis < num_axes for axis in gone):
            raise InputError(f"axis must be from 0 to {num_axes - 1}, but got {self.axis}")
        kept = tuple(axis for axis in range(num_axes) if axis not in gone)
        if self.sparse and not kept:
            raise InputError(f"a sparse result needs an axis that stays, but got axis={self.axis}")
        return kept


class AxisPool(LinePool):
    """The sum, mean, maximum or p-norm of the active cells along one axis or several.

    The p-norm is `(sum x^p)^(1/p)`, without absolute values, as that of `torch.nn.LPPool2d`.

    Shapes:
        Input (n, c), output (batch, *the other axes, c), zero where a line has no active cell; or,
        if sparse, (lines, c) on a grid of the other axes.

    Args:
        axis: The axis that goes away, from 0, or several.
        reduce: How cells are combined.
        norm_type: The exponent of `lp`.
        sparse: Return the lines with active cells alone, as a sparse tensor on the other axes: for
            results that would not fit memory, such as users × items of a grid of three axes.

    Raises:
        InputError: If `reduce` is unknown or the exponent is not positive.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]]]))
        >>> AxisPool(1, "sum")(x).tolist()
        [[[3.0], [0.0]]]
        >>> AxisPool(1, "sum", sparse=True)(x)
        SparseTensor(Grid(1 cells, spatial_shape=(2,), batch_size=1), 1 channels)
    """

    def __init__(
        self,
        axis: OneOrMany,
        reduce: Reduce = "mean",
        norm_type: float = 2.0,
        sparse: bool = False,
    ) -> None:
        super().__init__(axis, sparse)
        check_reduce(reduce, norm_type)
        self.reduce: Reduce = reduce
        self.norm_type = norm_type

    def pool(
        self, feats: Float[Tensor, "n c"], line: Int[Tensor, " n"], num_lines: int
    ) -> Float[Tensor, "lines c"]:
        """Pool the cells of each line.

        Args:
            feats: One row per cell.
            line: The line of each cell.
            num_lines: Number of lines.

        Returns:
            One row per line; zero for one without cells.
        """
        return reduce_lines(feats, line, num_lines, self.reduce, self.norm_type)


class GlobalPool(nn.Module):
    """The sum, mean, maximum or p-norm of all active cells of each sample.

    `out[b, c] = reduce over the active cells i of sample b: x[i, c]`. Empty cells do not count, so
    that the mean is not the dense one. The mean takes the place of wide linear layers at the end of
    a network since Lin et al. 2013 (https://arxiv.org/abs/1312.4400, section 3.2).

    Shapes:
        Input (n, c), output (batch, c), zero for a sample without active cells.

    Args:
        reduce: How cells are combined; `lp` as in `AxisPool`.
        norm_type: The exponent of `lp`.

    Raises:
        InputError: If `reduce` is unknown or the exponent is not positive.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]]))
        >>> GlobalPool("mean")(x).tolist()
        [[2.0], [0.0]]
    """

    def __init__(self, reduce: Reduce = "mean", norm_type: float = 2.0) -> None:
        super().__init__()
        check_reduce(reduce, norm_type)
        self.reduce: Reduce = reduce
        self.norm_type = norm_type

    def forward(self, x: SparseTensor) -> Float[Tensor, "b c"]:
        """Pool every sample.

        Args:
            x: Features (n, c).

        Returns:
            One row per sample; zero for one without active cells.
        """
        return axis_pool(x, (), self.reduce, self.norm_type)


class RidgePool(nn.Module):
    """The least-squares vector of each row: what, multiplied with the cells' features, gives 1.

    `p_r = (sum_i w_i h_i h_i^T + a G + l (n_r + a m) I)^-1 sum_i w_i h_i` over the active cells i
    of row r with features `h_i`; `G` is the Gram matrix of the m columns' vectors. The weight `a`
    of an empty cell and the ridge `l`, scaled by frequency as Rendle et al. 2021 do
    (https://arxiv.org/abs/2110.14037), are learned as logarithms.

    Shapes:
        Input (n, c) on one sample of (rows, m), weights (n), column vectors (m, c); output
        (rows, c).

    Args:
        unobserved_weight: Where `a` starts; positive.
        regularisation: Where `l` starts; positive.

    Raises:
        InputError: If one of them is not positive.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]]))
        >>> pool = RidgePool(unobserved_weight=1.0, regularisation=1.0)
        >>> pool(x, weights=torch.ones(2), column_vectors=torch.ones(2, 1)).tolist()
        [[0.25], [0.0]]
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
            column_vectors: One vector per column.

        Returns:
            One vector per row; zero for a row without active cells.

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
        unobserved = widened(self.log_unobserved_weight).exp()
        row_ptr = _row_ptr(x.coords[:, 1], x.spatial_shape[0])
        # Without columns every row is zero; a ridge of zero would leave it without a solution.
        num_columns = max(len(column_vectors), 1)
        ridge = widened(self.log_regularisation).exp() * (row_ptr.diff() + unobserved * num_columns)
        # In low precision the Gram matrix would not be positive semi-definite.
        with torch.autocast(x.feats.device.type, enabled=False):
            vectors = widened(column_vectors)
            prior_gram = unobserved * (vectors.T @ vectors)
        pooled = ridge_pool(x.feats, weights, row_ptr, prior_gram, ridge)
        return pooled.to(x.feats.dtype)


def _whole(axis: OneOrMany) -> int | tuple[int, ...]:
    try:
        return tuple(whole_number("axis", one) for one in axis)  # type: ignore[union-attr]
    except TypeError as error:
        if isinstance(error, InputTypeError):
            raise
        return whole_number("axis", axis)  # type: ignore[arg-type]


def _row_ptr(rows: Int[Tensor, " n"], num_rows: int) -> Int[Tensor, " rows_1"]:
    counts = torch.bincount(rows, minlength=num_rows)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
