"""The rank of each active cell along an axis, among the cells that share its other coordinates."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.sparse.coords import ravel_coords


def ranks_along(
    coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int], axis: int
) -> Int[Tensor, " n"]:
    """Return how many cells of the same line have a lower coordinate on the axis.

    Args:
        coords: Cells, sorted, each once.
        spatial_shape: Size of each axis.
        axis: From 0.

    Returns:
        One rank per cell, from 0.

    Example:
        >>> ranks_along(torch.tensor([[0, 2, 0], [0, 5, 0], [0, 5, 1]]), (6, 2), 0).tolist()
        [0, 1, 0]
    """
    others = [column for column in range(coords.shape[1]) if column != 1 + axis]
    lines = ravel_coords(coords[:, others], [spatial_shape[column - 1] for column in others[1:]])
    # Cells of one line are in order already; a stable sort brings them together and keeps it.
    lines, order = lines.sort(stable=True)
    place = torch.arange(lines.shape[0], device=lines.device)
    starts = lines.diff(prepend=lines.new_full((1,), -1)) != 0
    first = torch.where(starts, place, 0).cummax(0).values
    return torch.empty_like(place).index_copy(0, order, place - first)


def position_coords(
    coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int], axis: int
) -> tuple[Int[Tensor, "n d_1"], Int[Tensor, " n"] | None]:
    """Return the cells moved along the axis to their ranks, sorted.

    Args:
        coords: Cells, sorted, each once.
        spatial_shape: Size of each axis.
        axis: From 0.

    Returns:
        The moved cells, and the row in `coords` of each of them; None where the rows stay, as they
        do on the last axis.

    Example:
        >>> position_coords(torch.tensor([[0, 2], [0, 5]]), (6,), 0)[0].tolist()
        [[0, 0], [0, 1]]
    """
    moved = coords.clone()
    moved[:, 1 + axis] = ranks_along(coords, spatial_shape, axis)
    if axis == len(spatial_shape) - 1:
        return moved, None
    order = ravel_coords(moved, spatial_shape).argsort()
    return moved[order], order
