"""The cells that a convolution makes active: one axis after the other, so that few are doubled."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.sparse.coords import check_sizes, ravel_coords, unravel_coords
from recsparse.sparse.kernel import Kernel


def conv_coords(
    coords: Int[Tensor, "n d_1"], in_shape: Sequence[int], kernel: Kernel
) -> Int[Tensor, "m d_1"]:
    """Return the output cells whose window holds an active cell, sorted.

    The taps of different axes are chosen freely of each other, so an axis at a time does.

    Args:
        coords: Active input cells.
        in_shape: Size of each axis of the input.
        kernel: The window.

    Returns:
        The output cells of a convolution, each once.

    Example:
        >>> coords = torch.tensor([[0, 2]])
        >>> conv_coords(coords, (5,), Kernel.of(1, 3)).tolist()
        [[0, 0], [0, 1], [0, 2]]
    """
    cells: Tensor = conv_cells(coords, list(in_shape), *kernel.as_lists())
    return cells


def conv_transpose_coords(
    coords: Int[Tensor, "n d_1"], out_shape: Sequence[int], kernel: Kernel
) -> Int[Tensor, "m d_1"]:
    """Return the output cells that an active cell reaches, sorted.

    Args:
        coords: Active input cells.
        out_shape: Size of each axis of the output.
        kernel: The window of the convolution that is transposed.

    Returns:
        The output cells of a transposed convolution, each once.

    Example:
        >>> conv_transpose_coords(torch.tensor([[0, 1]]), (4,), Kernel.of(1, 2, stride=2)).tolist()
        [[0, 2], [0, 3]]
    """
    cells: Tensor = conv_transpose_cells(coords, list(out_shape), *kernel.as_lists())
    return cells


@torch.library.custom_op("recsparse::conv_cells", mutates_args=())
def conv_cells(
    coords: Tensor,
    in_shape: list[int],
    size: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    """Return the output cells of a convolution; the operator of `conv_coords`.

    Args:
        coords: (n, 1 + D), the active input cells.
        in_shape: Size of each axis of the input.
        size: Number of taps per axis.
        stride: Distance of windows per axis.
        padding: Reach of the first window per axis.
        dilation: Distance between taps per axis.

    Returns:
        (m, 1 + D), sorted, each cell once.
    """
    kernel, sizes = Kernel(tuple(size), tuple(stride), tuple(padding), tuple(dilation)), [*in_shape]
    for axis, out_size in enumerate(kernel.out_shape(in_shape)):
        first = coords[:, 1 + axis] + padding[axis]
        places = []
        for tap in range(size[axis]):
            start = first - dilation[axis] * tap
            window = start.div(stride[axis], rounding_mode="floor")
            places.append(torch.where(window * stride[axis] == start, window, -1))
        sizes[axis] = out_size
        coords = _spread(coords, axis, sizes, places)
    return coords


@conv_cells.register_fake
def _(
    coords: Tensor,
    in_shape: list[int],
    size: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    num_cells = torch.library.get_ctx().new_dynamic_size()
    return coords.new_empty(num_cells, coords.shape[1], dtype=torch.int64)


@torch.library.custom_op("recsparse::conv_transpose_cells", mutates_args=())
def conv_transpose_cells(
    coords: Tensor,
    out_shape: list[int],
    size: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    """Return the output cells of a transposed convolution; that of `conv_transpose_coords`.

    Args:
        coords: (n, 1 + D), the active input cells.
        out_shape: Size of each axis of the output.
        size: Number of taps per axis.
        stride: Distance of windows per axis of the convolution that is transposed.
        padding: Reach of its first window per axis.
        dilation: Distance between taps per axis.

    Returns:
        (m, 1 + D), sorted, each cell once.
    """
    sizes = [int(most) for most in (coords[:, 1:].amax(0) + 1 if len(coords) else out_shape)]
    for axis, out_size in enumerate(out_shape):
        first = coords[:, 1 + axis] * stride[axis] - padding[axis]
        places = [first + dilation[axis] * tap for tap in range(size[axis])]
        sizes[axis] = out_size
        coords = _spread(coords, axis, sizes, places)
    return coords


@conv_transpose_cells.register_fake
def _(
    coords: Tensor,
    out_shape: list[int],
    size: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    num_cells = torch.library.get_ctx().new_dynamic_size()
    return coords.new_empty(num_cells, coords.shape[1], dtype=torch.int64)


def _spread(
    coords: Int[Tensor, "n d_1"],
    axis: int,
    sizes: Sequence[int],
    places: Sequence[Int[Tensor, " n"]],
) -> Int[Tensor, "m d_1"]:
    """Move the cells to each of the places on an axis that lie in the grid; sorted, each once."""
    check_sizes(sizes, int(coords[:, 0].max()) + 1 if len(coords) else 0)
    keys = []
    for place in places:
        inside = (place >= 0) & (place < sizes[axis])
        moved = coords[inside]
        moved[:, 1 + axis] = place[inside]
        keys.append(ravel_coords(moved, sizes).unique())
    return unravel_coords(torch.cat(keys).unique(), sizes)
