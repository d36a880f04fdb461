"""Coordinates of active cells: checked, turned into sortable keys, looked up."""

from collections.abc import Sequence
from math import prod
from operator import index
from typing import SupportsIndex

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recsparse.errors import InputError, InputTypeError

_LARGEST_KEY = 2**63 - 1
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8)


def check_coords(
    coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int], batch_size: int
) -> None:
    """Raise an error unless every coordinate lies in the grid.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.

    Raises:
        InputTypeError: If `coords` is no tensor of integers.
        InputError: If the number of columns or a coordinate is wrong, or the grid has more cells
            than 63 bits can count.
    """
    limits = [batch_size, *spatial_shape]
    _check_table(coords, len(spatial_shape))
    check_sizes(spatial_shape, batch_size)
    upper = torch.tensor(limits, device=coords.device)
    wrong = ((coords < 0) | (coords >= upper)).any(dim=1)
    if wrong.any():
        first = int(wrong.nonzero()[0])
        raise InputError(
            f"coords must be non-negative and below {limits}, but {int(wrong.sum())} of "
            f"{len(coords)} rows are not; the first is coords[{first}] = {coords[first].tolist()}; "
            "leave them out, or enlarge spatial_shape or batch_size"
        )


def check_order(coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int]) -> None:
    """Raise an error unless cells are sorted and each occurs once.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis; in the grid.
        spatial_shape: Size of each axis.

    Raises:
        InputError: If a cell does not come after the one before.
    """
    keys = ravel_coords(coords, spatial_shape)
    wrong = (keys[1:] <= keys[:-1]).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0]) + 1
        raise InputError(
            "the coords of a Grid must be sorted by sample and coordinate, each cell once, but "
            f"{len(wrong)} of {len(coords)} rows do not come after the one before; the first is "
            f"coords[{first}] = {coords[first].tolist()} after {coords[first - 1].tolist()}; mend "
            "it by rs.grid_of(coords, spatial_shape, batch_size), or with features by "
            "rs.sparse_tensor"
        )


def as_cells(coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int]) -> Int[Tensor, "n d_1"]:
    """Return coordinates in the type that everything else relies on, at no cost if they have it.

    Args:
        coords: Cells that are known to be sorted and in the grid.
        spatial_shape: Size of each axis.

    Returns:
        64-bit integers.

    Raises:
        InputTypeError: If they are no tensor of integers.
        InputError: If there is not one column for the sample and each axis.
    """
    _check_table(coords, len(spatial_shape))
    # Compiled code reads them by their address, as numbers of 64 bits.
    return coords.long()


def _check_table(coords: Tensor, num_axes: int) -> None:
    if not isinstance(coords, Tensor) or coords.dtype not in _INTEGERS:
        raise InputTypeError(
            f"coords must be a tensor of signed integers, but got {_kind(coords)}; mend it by "
            "torch.as_tensor(coords).long()"
        )
    if coords.ndim != 2 or coords.shape[1] != 1 + num_axes:
        raise InputError(
            f"coords must have one row per cell and {1 + num_axes} columns (the sample, then "
            f"{num_axes} axes), but got shape {tuple(coords.shape)}"
        )


def check_sizes(spatial_shape: Sequence[int], batch_size: int) -> None:
    """Raise an error unless every cell of a grid can have a key of its own.

    Args:
        spatial_shape: Size of each axis.
        batch_size: Number of samples.

    Raises:
        InputError: If a size is negative, or the grid has more cells than 63 bits can count.
    """
    sizes = [batch_size, *spatial_shape]
    if min(sizes) < 0:
        raise InputError(
            "spatial_shape and batch_size must not be negative, but got "
            f"{tuple(spatial_shape)} and {batch_size}"
        )
    if prod(sizes) > _LARGEST_KEY:
        raise InputError(
            f"the product of batch_size {batch_size} and spatial_shape {tuple(spatial_shape)} must "
            f"fit 63 bits, but takes {prod(sizes).bit_length()}; split {_too_long(sizes)} into "
            "ranges and make a tensor of each, or count in coarser steps"
        )


def _too_long(sizes: Sequence[int]) -> str:
    """Name the fewest of the longest axes without which the cells could be counted."""
    kept, names = list(sizes), []
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        if prod(kept) <= _LARGEST_KEY:
            break
        kept[place] = 1
        names.append(f"axis {place - 1}" if place else "the batch")
    return " and ".join(names)


def check_feats(feats: Float[Tensor, "n c"], coords: Int[Tensor, "n d_1"]) -> None:
    """Raise an error unless there is one row of features per cell, on the device of the cells.

    Args:
        feats: The channels of each cell; NaN is allowed.
        coords: One row per cell.

    Raises:
        InputTypeError: If `feats` is no tensor of a floating type.
        InputError: If it has not two dimensions, another length or another device.
    """
    if not isinstance(feats, Tensor) or not feats.is_floating_point():
        raise InputTypeError(
            f"feats must be a tensor of a floating type, but got {_kind(feats)}; mend it by "
            "torch.as_tensor(feats).float()"
        )
    if feats.ndim != 2:
        raise InputError(
            "feats must have one row per cell and one column per channel, but got shape "
            f"{tuple(feats.shape)}; mend a single channel by feats.reshape(-1, 1)"
        )
    if feats.shape[0] != coords.shape[0]:
        longer = "coords" if len(coords) > len(feats) else "feats"
        raise InputError(
            f"feats must have one row per cell, but got {len(feats)} rows for {len(coords)} cells; "
            f"the first row left over is {longer}[{min(len(feats), len(coords))}]"
        )
    if feats.device != coords.device:
        raise InputError(
            f"feats and coords must be on one device, but got {feats.device} and {coords.device}; "
            "move one by .to(device)"
        )


def whole_sizes(
    spatial_shape: Sequence[SupportsIndex], batch_size: SupportsIndex
) -> tuple[tuple[int, ...], int]:
    """Return sizes as Python's integers; numpy's would overflow unseen where they are multiplied.

    Args:
        spatial_shape: Size of each axis, any kind of integers.
        batch_size: Number of samples.

    Returns:
        The shape and the batch size.

    Raises:
        InputTypeError: If one of them is no integer.
        InputError: If there is no axis.
    """
    try:
        shape, samples = tuple(map(index, spatial_shape)), index(batch_size)
    except TypeError as error:
        raise InputTypeError(
            "spatial_shape must hold one integer per axis and batch_size must be an integer, but "
            f"got {spatial_shape!r} and {batch_size!r}"
        ) from error
    if not shape:
        raise InputError("spatial_shape must have at least one axis, but got ()")
    return shape, samples


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__


def ravel_coords(coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int]) -> Int[Tensor, " n"]:
    """Return one integer per cell that sorts like the coordinates, sample first.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis.
        spatial_shape: Size of each axis.

    Returns:
        Row-major keys, int64.

    Example:
        >>> ravel_coords(torch.tensor([[0, 1, 2], [1, 0, 0]]), (3, 4)).tolist()
        [6, 12]
    """
    keys = coords[:, 0].long()
    for axis, size in enumerate(spatial_shape, start=1):
        keys = keys * size + coords[:, axis]
    return keys


def unravel_coords(keys: Int[Tensor, " n"], spatial_shape: Sequence[int]) -> Int[Tensor, "n d_1"]:
    """Return the coordinates of keys, the inverse of `ravel_coords`.

    Args:
        keys: Row-major keys.
        spatial_shape: Size of each axis.

    Returns:
        One row per cell: the sample, then one coordinate per axis.

    Example:
        >>> unravel_coords(torch.tensor([6, 12]), (3, 4)).tolist()
        [[0, 1, 2], [1, 0, 0]]
    """
    columns = []
    for size in reversed(spatial_shape):
        columns.append(keys % size)
        keys = keys // size
    return torch.stack([keys, *reversed(columns)], dim=1)


def find_keys(sorted_keys: Int[Tensor, " n"], queries: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
    """Look keys up in a sorted list without repetition.

    Args:
        sorted_keys: Strictly rising keys.
        queries: Keys in any order.

    Returns:
        The position of each query, -1 where it is not in the list.

    Example:
        >>> find_keys(torch.tensor([2, 5, 9]), torch.tensor([9, 3])).tolist()
        [2, -1]
    """
    if len(sorted_keys) == 0:
        return torch.full_like(queries, -1)
    position = torch.searchsorted(sorted_keys, queries).clamp(max=len(sorted_keys) - 1)
    return torch.where(sorted_keys[position] == queries, position, -1)


def sort_cells(
    coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int]
) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
    """Return the rows in the order of their cells' keys, and where in it a new cell begins.

    Args:
        coords: One row per cell, repetitions allowed.
        spatial_shape: Size of each axis.

    Returns:
        Row numbers, those of one cell rising; False where the cell is that of the row before.

    Example:
        >>> order, is_first = sort_cells(torch.tensor([[0, 1], [0, 0], [0, 1]]), (2,))
        >>> order.tolist(), is_first.tolist()
        ([1, 0, 2], [True, True, False])
    """
    keys = ravel_coords(coords, spatial_shape)
    if bool((keys[1:] >= keys[:-1]).all()):  # as they often are: to sort takes ten times longer
        order = torch.arange(len(keys), device=keys.device)
    else:
        keys, order = keys.sort(stable=True)
    return order, keys.diff(prepend=keys.new_full((1,), -1)) != 0
