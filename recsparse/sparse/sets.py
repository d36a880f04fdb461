"""Grids as sets of cells: union, intersection, difference, and where cells are found."""

from collections.abc import Sequence
from typing import SupportsIndex

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import (
    check_coords,
    find_keys,
    ravel_coords,
    sort_cells,
    unravel_coords,
    whole_sizes,
)
from recsparse.sparse.grid import Grid


def grid_of(
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[SupportsIndex],
    batch_size: SupportsIndex,
) -> Grid:
    """Return the grid of cells in any order; a cell that is named more than once is one cell.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.

    Returns:
        A grid, such as that of the candidates that are to be scored.

    Raises:
        InputError: If a coordinate is outside the grid.

    Example:
        >>> grid_of(torch.tensor([[0, 2], [0, 1], [0, 2]]), (4,), 1).coords.tolist()
        [[0, 1], [0, 2]]
    """
    shape, samples = whole_sizes(spatial_shape, batch_size)
    check_coords(coords, shape, samples)
    order, starts = sort_cells(coords, shape)
    return Grid(coords[order[starts]].long(), shape, samples, trusted=True)


def union(first: Grid, second: Grid) -> Grid:
    """Return the cells that are in either grid.

    Args:
        first: A grid.
        second: A grid of the same shape and batch size.

    Returns:
        A grid; one of the two themselves, with its kernel maps, where it holds all cells.

    Raises:
        InputError: If the shapes, batch sizes or devices differ.

    Example:
        >>> left, right = (grid_of(torch.tensor([[0, place]]), (4,), 1) for place in (3, 1))
        >>> union(left, right).coords.tolist()
        [[0, 1], [0, 3]]
    """
    check_same_space(first, second)
    if first is second:
        return first
    keys = torch.cat([first.keys, second.keys]).unique()
    for grid in (first, second):
        if grid.num_cells == len(keys):
            return grid
    return Grid(
        unravel_coords(keys, first.spatial_shape),
        first.spatial_shape,
        first.batch_size,
        trusted=True,
    )


def intersection(first: Grid, second: Grid) -> Grid:
    """Return the cells that are in both grids.

    Args:
        first: A grid.
        second: A grid of the same shape and batch size.

    Returns:
        A grid; one of the two themselves, with its kernel maps, where the other holds its cells.

    Raises:
        InputError: If the shapes, batch sizes or devices differ.

    Example:
        >>> left, right = (grid_of(torch.tensor([[0, 2], [0, place]]), (4,), 1) for place in (0, 3))
        >>> intersection(left, right).coords.tolist()
        [[0, 2]]
    """
    check_same_space(first, second)
    common = _is_in(first, second)
    num_common = int(common.sum())
    for grid in (first, second):
        if grid.num_cells == num_common:
            return grid
    return first.select(common)


def difference(first: Grid, second: Grid) -> Grid:
    """Return the cells of the first grid that are not in the second.

    Args:
        first: A grid.
        second: A grid of the same shape and batch size.

    Returns:
        A grid; the first itself, with its kernel maps, where no cell is common.

    Raises:
        InputError: If the shapes, batch sizes or devices differ.

    Example:
        >>> left, right = (grid_of(torch.tensor([[0, 2], [0, place]]), (4,), 1) for place in (0, 3))
        >>> difference(left, right).coords.tolist()
        [[0, 0]]
    """
    check_same_space(first, second)
    common = _is_in(first, second)
    return first.select(~common) if common.any() else first


def rows_of(grid: Grid, coords: Int[Tensor, "m d_1"]) -> Int[Tensor, " m"]:
    """Return the row of each cell in a grid.

    Args:
        grid: A grid.
        coords: Cells in any order, repetitions allowed.

    Returns:
        Row numbers, -1 where a cell is not in the grid.

    Raises:
        InputError: If a coordinate is outside the grid's shape, or on another device.

    Example:
        >>> grid = grid_of(torch.tensor([[0, 1], [0, 3]]), (4,), 1)
        >>> rows_of(grid, torch.tensor([[0, 3], [0, 0]])).tolist()
        [1, -1]
    """
    check_coords(coords, grid.spatial_shape, grid.batch_size)
    if coords.device != grid.coords.device:
        raise InputError(
            f"the output cells must be on the device of the grid, {grid.coords.device}, but "
            f"are on {coords.device}; move them by .to(device)"
        )
    return find_keys(grid.keys, ravel_coords(coords, grid.spatial_shape))


def check_same_space(first: Grid, second: Grid) -> None:
    """Raise an error unless the cells of two grids are comparable.

    Args:
        first: A grid.
        second: A grid.

    Raises:
        InputError: If the shapes, batch sizes or devices differ.
    """
    for name in ("spatial_shape", "batch_size"):
        sizes = getattr(first, name), getattr(second, name)
        if sizes[0] != sizes[1]:
            raise InputError(f"both must have one {name}, but got {sizes[0]} and {sizes[1]}")
    devices = first.coords.device, second.coords.device
    if devices[0] != devices[1]:
        raise InputError(
            f"both must be on one device, but got {devices[0]} and {devices[1]}; move one by "
            ".to(device)"
        )


def _is_in(first: Grid, second: Grid) -> Tensor:
    return find_keys(second.keys, first.keys) >= 0
