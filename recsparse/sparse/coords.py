"""Coordinates of active cells: checked, turned into sortable keys, looked up."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError

_LARGEST_KEY = 2**63 - 1


def check_coords(
    coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int], batch_size: int
) -> None:
    """Raise an error unless every coordinate lies in the grid.

    Args:
        coords: One row a cell: the sample, then one coordinate an axis.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.

    Raises:
        InputError: If the number of columns or a coordinate is wrong, or the grid has more cells
            than 63 bits can count.
    """
    limits = [batch_size, *spatial_shape]
    if coords.shape[1] != len(limits):
        raise InputError(
            f"coords must have {len(limits)} columns (the sample, then {len(limits) - 1} axes), "
            f"but got {coords.shape[1]}"
        )
    check_sizes(spatial_shape, batch_size)
    upper = torch.tensor(limits, device=coords.device)
    wrong = ((coords < 0) | (coords >= upper)).any(dim=1)
    if wrong.any():
        first = int(wrong.nonzero()[0])
        raise InputError(
            f"coords must be non-negative and below {limits}, but {int(wrong.sum())} of "
            f"{len(coords)} rows are not; the first is coords[{first}] = {coords[first].tolist()}"
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
    if min(sizes) < 0 or prod(sizes) > _LARGEST_KEY:
        raise InputError(
            f"the sizes {sizes} must not be negative and their product must fit 63 bits; "
            "split the longest axis"
        )


def ravel_coords(coords: Int[Tensor, "n d_1"], spatial_shape: Sequence[int]) -> Int[Tensor, " n"]:
    """Return one integer a cell that sorts like the coordinates, sample first.

    Args:
        coords: One row a cell: the sample, then one coordinate an axis.
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
        One row a cell: the sample, then one coordinate an axis.
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


def coalesce(
    coords: Int[Tensor, "n d_1"], feats: Float[Tensor, "n c"], spatial_shape: Sequence[int]
) -> tuple[Int[Tensor, "m d_1"], Float[Tensor, "m c"]]:
    """Sort cells and add up the features of cells that occur more than once.

    Args:
        coords: One row a cell, repetitions allowed.
        feats: The features of each row.
        spatial_shape: Size of each axis.

    Returns:
        Each cell once, in the order of its key, and its summed features.

    Raises:
        InputError: If a coordinate is negative or not below the size of its axis.

    Example:
        >>> coords, feats = torch.tensor([[0, 1], [0, 0], [0, 1]]), torch.ones(3, 1)
        >>> [part.tolist() for part in coalesce(coords, feats, (2,))]
        [[[0, 0], [0, 1]], [[1.0], [2.0]]]
    """
    # A coordinate past its axis would have the key of another cell and be added to that one.
    num_samples = int(coords[:, 0].max().clamp(min=0)) + 1 if len(coords) else 0
    check_coords(coords, spatial_shape, num_samples)
    keys, cell = ravel_coords(coords, spatial_shape).unique(return_inverse=True)
    summed = feats.new_zeros(len(keys), feats.shape[1]).index_add(0, cell, feats)
    return unravel_coords(keys, spatial_shape), summed
