"""Pairs sorted by their output cell, and where those of each tile of output cells begin."""

import torch

from recsparse.sparse.kernel_map import KernelMap


def sorted_by_output(pairs: KernelMap) -> KernelMap:
    """Return the same pairs with rising output cells under each tap, itself if they are so.

    Args:
        pairs: A kernel map.

    Returns:
        A kernel map with the pairs of each tap sorted.

    Example:
        >>> ends = torch.tensor([0, 1]).int(), torch.tensor([1, 0]).int()
        >>> pairs = KernelMap(*ends, torch.tensor([0, 2]), num_in=2, num_out=2, monotone=False)
        >>> sorted_by_output(pairs).out_index.tolist()
        [0, 1]
    """
    if pairs.monotone:
        return pairs
    tap = torch.arange(pairs.num_taps, device=pairs.out_index.device)
    tap = tap.repeat_interleave(pairs.tap_ptr.diff().to(tap.device))
    order = (tap * pairs.num_out + pairs.out_index).argsort(stable=True)
    return KernelMap(
        pairs.in_index[order],
        pairs.out_index[order],
        pairs.tap_ptr,
        pairs.num_in,
        pairs.num_out,
        monotone=False,
    )


def tile_bounds(pairs: KernelMap, rows: int) -> list[list[int]]:
    """Return, for each tap, where the pairs of each tile of output cells begin and end.

    Args:
        pairs: A kernel map, sorted by output.
        rows: Number of output cells of a tile.

    Returns:
        One number a tile and one more, for each tap.

    Example:
        >>> ends = torch.tensor([0, 1, 2]).int(), torch.tensor([0, 3, 4]).int()
        >>> tile_bounds(KernelMap(*ends, torch.tensor([0, 3]), num_in=3, num_out=5), rows=4)
        [[0, 2, 3]]
    """
    if pairs.num_out <= rows:  # known on the CPU: no device has to be waited for
        return [[0, count] for count in pairs.pairs_per_tap]
    edges = torch.arange(0, pairs.num_out + rows, rows, device=pairs.out_index.device).int()
    return [
        edges.clamp(max=pairs.num_out).tolist()
        if pairs.is_identity(tap)
        else torch.searchsorted(pairs.tap(tap)[1].contiguous(), edges).tolist()
        for tap in range(pairs.num_taps)
    ]
