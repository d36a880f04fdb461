"""Kernel maps whose taps a table of neighbours gives, remembered by table."""

import itertools
from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.sparse.coords import find_keys, ravel_coords
from recsparse.sparse.kernel_map import KernelMap

# By the number of a table and the axis: the table, kept lest another one gets its number; how often
# it had been written to; and the map.
NeighbourMaps = dict[tuple[int, int], tuple[Tensor, int, KernelMap]]


def neighbour_kernel_map(
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[int],
    table: Int[Tensor, "items r"],
    axis: int,
) -> KernelMap:
    """Return the map of a convolution whose taps a table of neighbours gives.

    Tap t joins the output cell at place `i` of the axis to the input cell at `table[i, t]`, the
    other coordinates alike. One tap after the other is looked up, so that memory is that of the
    pairs found and of a few numbers per cell.

    Args:
        coords: Active cells, sorted by key, without repetition.
        spatial_shape: Size of each axis.
        table: The neighbours of each place on the axis; -1 for none.
        axis: From 0.

    Returns:
        The kernel map; under one tap an input cell may occur many times.

    Example:
        >>> table = torch.tensor([[1], [2], [-1]])  # the one neighbour of each of three places
        >>> cells = torch.tensor([[0, 0], [0, 1]])
        >>> pairs = neighbour_kernel_map(cells, (3,), table, axis=0)
        >>> pairs.in_index.tolist(), pairs.out_index.tolist()
        ([1], [0])
    """
    keys = ravel_coords(coords, spatial_shape)
    place, step = coords[:, 1 + axis], prod(spatial_shape[axis + 1 :])
    ends = []
    for neighbours in table.T:
        neighbour = neighbours[place]
        out = (neighbour >= 0).nonzero().flatten()
        into = find_keys(keys, (keys + (neighbour - place) * step)[out])
        ends.append((into[into >= 0].int(), out[into >= 0].int()))
    tap_ptr = torch.tensor([0, *itertools.accumulate(len(out) for _, out in ends)], device="cpu")
    into, out = (torch.cat(side) for side in zip(*ends, strict=True))
    return KernelMap(into, out, tap_ptr, len(coords), len(coords), monotone=False)


def remembered_neighbour_map(
    maps: NeighbourMaps,
    coords: Int[Tensor, "n d_1"],
    spatial_shape: Sequence[int],
    table: Int[Tensor, "items r"],
    axis: int,
) -> KernelMap:
    """Return the kernel map of a table, computed at the first call and after a write to the table.

    Args:
        maps: What was computed so far for these cells; the map is added.
        coords: Active cells, the same at every call.
        spatial_shape: Size of each axis, the same at every call.
        table: The neighbours of each place on the axis; -1 for none.
        axis: From 0.

    Returns:
        The kernel map.
    """
    # `torch.compile` takes the number of writes for one that it cannot know.
    version = -1 if torch.compiler.is_compiling() else table._version
    held = maps.get((id(table), axis))
    if held is None or version not in (held[1], -1):
        held = table, version, neighbour_kernel_map(coords, spatial_shape, table, axis)
        maps[id(table), axis] = held
    return held[2]
