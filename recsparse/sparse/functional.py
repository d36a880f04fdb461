"""Functions of active cells: convolution tap by tap, and pooling along axes."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from recsparse.errors import InputError
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.scatter import scatter_max, scatter_mean, scatter_sum
from recsparse.sparse.tensor import SparseTensor

Reduce = Literal["sum", "mean", "max"]
_REDUCERS = {"sum": scatter_sum, "mean": scatter_mean, "max": scatter_max}


def sparse_conv(
    feats: Float[Tensor, "n_in c_in"],
    weight: Float[Tensor, "c_out c_group *kernel"],
    bias: Float[Tensor, " c_out"] | None,
    kernel_map: KernelMap,
    groups: int = 1,
) -> Float[Tensor, "n_out c_out"]:
    """Convolve along a kernel map; forward and backward touch its pairs of active cells only.

    Output cell o gets `sum over taps t and pairs (i, o) of t: W_t x_i`, plus the bias. The gradient
    is not itself differentiable.

    Args:
        feats: Features of the input cells.
        weight: In torch's layout, (c_out, c_in / groups, *kernel_size).
        bias: One number an output channel.
        kernel_map: Its taps are those of the kernel, in row-major order.
        groups: Number of groups of channels that do not mix.

    Returns:
        Features of the output cells.

    Raises:
        InputError: If channels, groups, taps and cells do not fit together.
    """
    taps = weight.flatten(2).movedim(2, 0)
    _check_sizes(feats, taps, kernel_map, groups)
    # (taps, groups, c_in / groups, c_out / groups): what each group of features is multiplied with
    by_group = taps.unflatten(1, (groups, -1)).transpose(2, 3)
    out: Tensor = _TapwiseConv.apply(feats, by_group, kernel_map)  # type: ignore[no-untyped-call]
    return out if bias is None else out + bias


def axis_pool(
    x: SparseTensor, kept_axes: Sequence[int], reduce: Reduce
) -> Float[Tensor, "lines c"]:
    """Reduce the active cells of every line, the cells that agree in the sample and the kept axes.

    Args:
        x: A sparse tensor.
        kept_axes: Axes, from 0; none of them makes one line a sample.
        reduce: `sum`, `mean` or `max`.

    Returns:
        One row a line, in row-major order of the sample and the kept axes; zero for a line without
        active cells.

    Raises:
        InputError: If `reduce` or an axis is unknown.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 2.0], [0.0, 3.0]]]]))
        >>> axis_pool(x, (0,), "sum").tolist()
        [[3.0], [3.0]]
    """
    check_reduce(reduce)
    line, num_lines = lines_of_cells(x, kept_axes)
    return _REDUCERS[reduce](x.feats, line, num_lines)


def check_reduce(reduce: str) -> None:
    """Raise an error unless `reduce` names a way to pool.

    Args:
        reduce: The name.

    Raises:
        InputError: If it is neither `sum` nor `mean` nor `max`.
    """
    if reduce not in _REDUCERS:
        raise InputError(f"reduce must be one of {', '.join(_REDUCERS)}, but got {reduce!r}")


def lines_of_cells(x: SparseTensor, kept_axes: Sequence[int]) -> tuple[Int[Tensor, " n"], int]:
    """Number the lines, the cells that agree in the sample and in the kept axes.

    Args:
        x: A sparse tensor.
        kept_axes: Axes, from 0.

    Returns:
        The line of each cell, and the number of lines, active or not.

    Raises:
        InputError: If there is no such axis.
    """
    num_axes = len(x.spatial_shape)
    if not all(0 <= axis < num_axes for axis in kept_axes):
        raise InputError(f"axes must be from 0 to {num_axes - 1}, but got {tuple(kept_axes)}")
    line, num_lines = x.coords[:, 0], x.batch_size
    for axis in kept_axes:
        size = x.spatial_shape[axis]
        line, num_lines = line * size + x.coords[:, 1 + axis], num_lines * size
    return line, num_lines


class _TapwiseConv(torch.autograd.Function):
    """`out[o] = sum_t sum_(i, o) x[i] W_t`, with an explicit backward over the same pairs."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        feats: Float[Tensor, "n_in c_in"],
        weight: Float[Tensor, "t g k m"],
        kernel_map: KernelMap,
    ) -> Float[Tensor, "n_out c_out"]:
        ctx.save_for_backward(feats, weight)
        ctx.kernel_map = kernel_map  # type: ignore[attr-defined]
        return _gather_multiply_scatter(feats, weight, kernel_map)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        feats, weight = ctx.saved_tensors
        kernel_map: KernelMap = ctx.kernel_map
        grad_out = grad_out.contiguous()  # that of a sum is one expanded number: slow to gather
        grad_feats = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_feats = _gather_multiply_scatter(
                grad_out, weight.transpose(2, 3), kernel_map.transpose()
            )
        if ctx.needs_input_grad[1]:
            grad_weight = torch.stack(
                [
                    _weight_gradient(feats, grad_out, kernel_map, tap, weight.shape[1])
                    for tap in range(kernel_map.num_taps)
                ]
            )
        return grad_feats, grad_weight, None


def _gather_multiply_scatter(
    feats: Float[Tensor, "n_in c_in"], weight: Float[Tensor, "t g k m"], kernel_map: KernelMap
) -> Float[Tensor, "n_out c_out"]:
    groups, _, group_out = weight.shape[1:]
    out = feats.new_zeros(kernel_map.num_out, groups * group_out)
    for tap in range(kernel_map.num_taps):
        in_index, out_index = kernel_map.tap(tap)
        if kernel_map.is_identity(tap):
            out += _multiply(feats, weight[tap])
        elif len(in_index):
            # Under one tap an output cell occurs at most once, so the order of adding is fixed.
            rows = feats.index_select(0, in_index)  # several times faster than feats[in_index]
            out.index_add_(0, out_index, _multiply(rows, weight[tap]).to(out.dtype))
    return out


def _multiply(
    rows: Float[Tensor, "n c_in"], weight: Float[Tensor, "g k m"]
) -> Float[Tensor, "n c_out"]:
    groups = len(weight)
    if groups == 1:
        return rows @ weight[0]
    return torch.einsum("ngk,gkm->ngm", rows.unflatten(1, (groups, -1)), weight).flatten(1)


def _weight_gradient(
    feats: Float[Tensor, "n_in c_in"],
    grad_out: Float[Tensor, "n_out c_out"],
    kernel_map: KernelMap,
    tap: int,
    groups: int,
) -> Float[Tensor, "g k m"]:
    if not kernel_map.is_identity(tap):
        in_index, out_index = kernel_map.tap(tap)
        feats, grad_out = feats.index_select(0, in_index), grad_out.index_select(0, out_index)
    in_rows, out_rows = (rows.unflatten(1, (groups, -1)) for rows in (feats, grad_out))
    return torch.einsum("pgk,pgm->gkm", in_rows, out_rows)


def _check_sizes(
    feats: Tensor, taps: Float[Tensor, "t o k"], kernel_map: KernelMap, groups: int
) -> None:
    num_taps, out_channels, group_channels = taps.shape
    if feats.shape[1] != group_channels * groups or out_channels % groups:
        raise InputError(
            f"feats must have {group_channels} channels for each of {groups} groups and the "
            f"output channels must be a multiple of the groups, but got {feats.shape[1]} and "
            f"{out_channels}"
        )
    if num_taps != kernel_map.num_taps or len(feats) != kernel_map.num_in:
        raise InputError(
            f"the kernel map must have {num_taps} taps and {len(feats)} input cells, but has "
            f"{kernel_map.num_taps} and {kernel_map.num_in}"
        )
