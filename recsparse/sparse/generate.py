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
    sizes = [*in_shape]
    for axis, out_size in enumerate(kernel.out_shape(in_shape)):
        stride, step = kernel.stride[axis], kernel.dilation[axis]
        first = coords[:, 1 + axis] + kernel.padding[axis]
        places = []
        for tap in range(kernel.size[axis]):
            window = (first - step * tap).div(stride, rounding_mode="floor")
            places.append(torch.where(window * stride == first - step * tap, window, -1))
        sizes[axis] = out_size
        coords = _spread(coords, axis, sizes, places)
    return coords


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
    """
    sizes = [int(size) for size in (coords[:, 1:].amax(0) + 1 if len(coords) else out_shape)]
    for axis, out_size in enumerate(out_shape):
        first = coords[:, 1 + axis] * kernel.stride[axis] - kernel.padding[axis]
        places = [first + kernel.dilation[axis] * tap for tap in range(kernel.size[axis])]
        sizes[axis] = out_size
        coords = _spread(coords, axis, sizes, places)
    return coords


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
