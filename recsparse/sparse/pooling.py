"""Pooling along axes: one row of features for each line of active cells."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.lines import line_keys
from recsparse.sparse.precision import widened
from recsparse.sparse.scatter import scatter_max, scatter_mean, scatter_sum
from recsparse.sparse.tensor import SparseTensor

Reduce = Literal["sum", "mean", "max", "lp"]


def axis_pool(
    x: SparseTensor, kept_axes: Sequence[int], reduce: Reduce, norm_type: float = 2.0
) -> Float[Tensor, "lines c"]:
    """Reduce the active cells of every line, the cells that agree in the sample and the kept axes.

    Args:
        x: A sparse tensor.
        kept_axes: Axes, from 0; none of them makes one line per sample.
        reduce: `sum`, `mean`, `max`, or `lp` for `(sum x^p)^(1/p)`.
        norm_type: The exponent `p`.

    Returns:
        One row per line, in row-major order of the sample and the kept axes; zero for a line
        without active cells.

    Raises:
        InputError: If `reduce` or an axis is unknown, or the exponent is not positive.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 2.0], [0.0, 3.0]]]]))
        >>> axis_pool(x, (0,), "sum").tolist()
        [[3.0], [3.0]]
    """
    check_reduce(reduce, norm_type)
    line, num_lines = lines_of_cells(x, kept_axes)
    return reduce_lines(x.feats, line, num_lines, reduce, norm_type)


def check_reduce(reduce: str, norm_type: float = 2.0) -> None:
    """Raise an error unless `reduce` names a way to pool and the exponent has a root.

    Args:
        reduce: The name.
        norm_type: The exponent of `lp`.

    Raises:
        InputError: If it is neither `sum` nor `mean` nor `max` nor `lp`, or the exponent is not
            positive and finite.
    """
    if reduce not in get_args(Reduce):
        raise InputError(f"reduce must be one of {', '.join(get_args(Reduce))}, but got {reduce!r}")
    check_norm_type(norm_type)


def check_norm_type(norm_type: float) -> None:
    """Raise an error unless an exponent has a root.

    Args:
        norm_type: The exponent.

    Raises:
        InputError: If it is not positive and finite.
    """
    if not 0 < norm_type < math.inf:
        raise InputError(
            f"norm_type must be positive and finite, but got {norm_type}; for infinity take max"
        )


def lines_of_cells(x: SparseTensor, kept_axes: Sequence[int]) -> tuple[Int[Tensor, " n"], int]:
    """Number the lines, the cells that agree in the sample and in the kept axes.

    Args:
        x: A sparse tensor.
        kept_axes: Axes, from 0.

    Returns:
        The line of each cell, and the number of lines, active or not.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 2.0], [0.0, 3.0]]]]))
        >>> line, num_lines = lines_of_cells(x, (1,))
        >>> line.tolist(), num_lines
        ([0, 1, 1], 2)
    """
    return line_keys(x.coords, x.spatial_shape, x.batch_size, kept_axes)


def reduce_lines(
    feats: Float[Tensor, "n c"],
    line: Int[Tensor, " n"],
    num_lines: int,
    reduce: Reduce,
    norm_type: float = 2.0,
) -> Float[Tensor, "lines c"]:
    """Reduce the rows of every line; low-precision types are added up in float32.

    Args:
        feats: One row per cell.
        line: The line of each cell.
        num_lines: Number of lines.
        reduce: `sum`, `mean`, `max` or `lp`.
        norm_type: The exponent of `lp`.

    Returns:
        One row per line, of the type of `feats`; zero for a line without cells.

    Example:
        >>> import torch
        >>> reduce_lines(torch.tensor([[3.0], [4.0]]), torch.tensor([1, 1]), 2, "lp").tolist()
        [[0.0], [5.0]]
    """
    if reduce == "max":
        return scatter_max(feats, line, num_lines)
    wide = widened(feats)
    if reduce == "lp":
        pooled = root_of_powers(scatter_sum(wide.pow(norm_type), line, num_lines), norm_type)
    else:
        pooled = {"sum": scatter_sum, "mean": scatter_mean}[reduce](wide, line, num_lines)
    return pooled.to(feats.dtype)


def root_of_powers(total: Float[Tensor, "m c"], norm_type: float) -> Float[Tensor, "m c"]:
    """Return the root of a sum of powers: that of 0 is 0 with gradient 0, of a negative sum NaN.

    Args:
        total: Sums of powers.
        norm_type: The exponent.

    Returns:
        `total^(1 / norm_type)`.

    Example:
        >>> import torch
        >>> root_of_powers(torch.tensor([[25.0, 0.0]]), 2.0).tolist()
        [[5.0, 0.0]]
    """
    # The root's slope at 0 is infinite, and infinity times a gradient of 0 would be NaN.
    zero = total == 0
    return total.masked_fill(zero, 1).pow(1 / norm_type).masked_fill(zero, 0)
