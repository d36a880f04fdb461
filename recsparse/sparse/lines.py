"""Lines: the cells that agree in the sample and in some of the axes."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import unravel_coords

# Up to this many places per cell, counting the lines is faster than sorting their keys.
_PLACES_PER_CELL = 4


def line_keys(
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[int],
    batch_size: int,
    kept_axes: Sequence[int],
) -> tuple[Int[Tensor, " n"], int]:
    """Return the line of each cell among all lines, active or not.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.
        kept_axes: The axes, from 0, in which the cells of a line agree; none of them makes one
            line per sample.

    Returns:
        Numbers in row-major order of the sample and the kept axes, and the number of lines.

    Raises:
        InputError: If there is no such axis.

    Example:
        >>> line, num_lines = line_keys(torch.tensor([[0, 1, 2], [1, 0, 2]]), (2, 3), 2, (1,))
        >>> line.tolist(), num_lines
        ([2, 5], 6)
    """
    num_axes = len(spatial_shape)
    if not all(0 <= axis < num_axes for axis in kept_axes):
        raise InputError(f"axes must be from 0 to {num_axes - 1}, but got {tuple(kept_axes)}")
    line, num_lines = coords[:, 0], batch_size
    for axis in kept_axes:
        size = spatial_shape[axis]
        line, num_lines = line * size + coords[:, 1 + axis], num_lines * size
    return line, num_lines


def active_lines(
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[int],
    batch_size: int,
    kept_axes: Sequence[int],
) -> tuple[Int[Tensor, "lines kept_1"], Int[Tensor, " n"]]:
    """Return the lines that hold a cell, sorted, and the line of each cell among them.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.
        kept_axes: The axes, from 0, in which the cells of a line agree.

    Returns:
        One row per line, the sample and its place on the kept axes; and one number per cell.

    Example:
        >>> active_lines(torch.tensor([[0, 4, 2], [0, 7, 2]]), (9, 3), 1, (1,))
        (tensor([[0, 2]]), tensor([0, 0]))
    """
    key, num_lines = line_keys(coords, spatial_shape, batch_size, kept_axes)
    # Compiled code cannot choose by the number of cells.
    few = not torch.compiler.is_compiling() and num_lines <= _PLACES_PER_CELL * len(coords)
    if few:
        active = torch.zeros(num_lines, dtype=torch.bool, device=coords.device)
        active[key] = True
        lines, line = active.nonzero().flatten(), (active.cumsum(0) - 1)[key]
    else:
        lines, line = key.unique(return_inverse=True)
    return unravel_coords(lines, [spatial_shape[axis] for axis in kept_axes]), line
