"""Functions of active cells: convolution along a kernel map, and pooling along axes."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pair_conv import pair_conv
from recsparse.sparse.scatter import scatter_max, scatter_mean, scatter_sum
from recsparse.sparse.tensor import SparseTensor

Reduce = Literal["sum", "mean", "max"]
_REDUCERS = {"sum": scatter_sum, "mean": scatter_mean, "max": scatter_max}


def sparse_conv(
    feats: Float[Tensor, "n_in c_in"],
    weight: Float[Tensor, "c_first c_second *kernel"],
    bias: Float[Tensor, " c_out"] | None,
    kernel_map: KernelMap,
    groups: int = 1,
    transposed: bool = False,
) -> Float[Tensor, "n_out c_out"]:
    """Convolve along a kernel map; forward and backward touch its pairs of active cells only.

    Output cell o gets `sum over taps t and pairs (i, o) of t: W_t x_i`, plus the bias. Gradients of
    any order are computed in the same way. Under autocast the result has autocast's type, as that
    of torch's convolutions.

    Args:
        feats: Features of the input cells.
        weight: In torch's layout, (c_out, c_in / groups, *kernel_size); if transposed,
            (c_in, c_out / groups, *kernel_size).
        bias: One number an output channel.
        kernel_map: Its taps are those of the kernel, in row-major order.
        groups: Number of groups of channels that do not mix.
        transposed: Whether the weight has the layout of torch's transposed convolutions.

    Returns:
        Features of the output cells.

    Raises:
        InputError: If channels, groups, taps and cells do not fit together.
    """
    if torch.is_autocast_enabled(feats.device.type):
        kind = torch.get_autocast_dtype(feats.device.type)
        feats, weight = feats.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    taps = _taps_by_group(weight, groups, transposed)
    _check_sizes(feats, taps, kernel_map)
    _check_bias(bias, taps)
    out: Tensor = pair_conv(feats, taps, bias, *_fields(kernel_map))
    return out


def _taps_by_group(weight: Tensor, groups: int, transposed: bool) -> Float[Tensor, "t g k m"]:
    # What each group of features is multiplied with under each tap.
    if groups < 1 or weight.shape[0] % groups:
        raise InputError(
            f"the channels must be multiples of the groups, but got {tuple(weight.shape)} and "
            f"{groups} groups"
        )
    by_group = weight.flatten(2).movedim(2, 0).unflatten(1, (groups, -1))
    return by_group if transposed else by_group.transpose(2, 3)


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


def _fields(kernel_map: KernelMap) -> tuple[Tensor, Tensor, Tensor, int, bool, bool]:
    return (
        kernel_map.in_index,
        kernel_map.out_index,
        kernel_map.tap_ptr,
        kernel_map.num_out,
        kernel_map.symmetric,
        kernel_map.monotone,
    )


def _check_sizes(feats: Tensor, taps: Float[Tensor, "t g k m"], kernel_map: KernelMap) -> None:
    num_taps, groups, per_group, _ = taps.shape
    if feats.shape[1] != per_group * groups:
        raise InputError(
            f"feats must have {per_group} channels for each of {groups} groups, but got "
            f"{feats.shape[1]}"
        )
    if feats.dtype != taps.dtype or feats.device != taps.device:
        raise InputError(
            f"feats and weight must agree in type and device, but got {feats.dtype} on "
            f"{feats.device} and {taps.dtype} on {taps.device}; move one by .to"
        )
    if num_taps != kernel_map.num_taps or len(feats) != kernel_map.num_in:
        raise InputError(
            f"the kernel map must have {num_taps} taps and {len(feats)} input cells, but has "
            f"{kernel_map.num_taps} and {kernel_map.num_in}"
        )


def _check_bias(bias: Float[Tensor, " c"] | None, taps: Float[Tensor, "t g k m"]) -> None:
    channels = taps.shape[1] * taps.shape[3]
    if bias is not None and (len(bias) != channels or bias.dtype != taps.dtype):
        raise InputError(
            f"bias must have {channels} numbers of the weight's {taps.dtype}, but got "
            f"{len(bias)} of {bias.dtype}"
        )
