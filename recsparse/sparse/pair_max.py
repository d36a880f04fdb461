"""The operator behind maximum pooling: which input cell holds the largest value of a window."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.tiled import sorted_by_output

_TILE_ROWS = 16_384  # with 32 channels a tile and its buffers take 12 MB
_DEVICE_TILE_ROWS = 1_048_576  # elsewhere caches are small, and to launch an operation costs more


@torch.library.custom_op("recsparse::pair_max", mutates_args=())
def pair_max(
    feats: Tensor,
    in_index: Tensor,
    out_index: Tensor,
    tap_ptr: Tensor,
    num_out: int,
    symmetric: bool,
    monotone: bool,
) -> Tensor:
    """Find the input cell with the largest value of each output cell and channel.

    As in torch's pooling the first of equal values wins, in the order of the taps, and NaN wins
    over any number. Under one tap an output cell may occur once. The work goes tile by tile of
    output cells, so that buffers are of the size of a tile and not of all pairs.

    Args:
        feats: (num_in, c).
        in_index: The input cell of each pair.
        out_index: The output cell of each pair.
        tap_ptr: Where the pairs of each stored tap begin and end.
        num_out: Number of output cells.
        symmetric: Whether half of the taps stand for all.
        monotone: Whether both ends rise under each tap.

    Returns:
        (num_out, c), int64; `num_in` where no pair leads to the output cell.
    """
    pairs = KernelMap(in_index, out_index, tap_ptr, len(feats), num_out, symmetric, monotone)
    pairs = sorted_by_output(pairs)
    rows = _TILE_ROWS if feats.device.type == "cpu" else _DEVICE_TILE_ROWS
    winner = in_index.new_full((num_out, feats.shape[1]), len(feats), dtype=torch.int64)
    taps = [pairs.tap(tap) for tap in range(pairs.num_taps)]
    edges = torch.arange(0, num_out + rows, rows, device=out_index.device).int()
    bounds = [torch.searchsorted(onto.contiguous(), edges).tolist() for _, onto in taps]
    for number, start in enumerate(range(0, num_out, rows)):
        tile = winner[start : start + rows]
        largest = feats.new_empty(tile.shape)
        for (into, onto), bound in zip(taps, bounds, strict=True):
            some = slice(bound[number], bound[number + 1])
            if some.start < some.stop:
                _compete(largest, tile, feats, into[some], onto[some].long() - start)
    return winner


@pair_max.register_fake
def _(
    feats: Tensor,
    in_index: Tensor,
    out_index: Tensor,
    tap_ptr: Tensor,
    num_out: int,
    symmetric: bool,
    monotone: bool,
) -> Tensor:
    return feats.new_empty(num_out, feats.shape[1], dtype=torch.int64)


def _compete(
    largest: Float[Tensor, "rows c"],
    winner: Int[Tensor, "rows c"],
    feats: Float[Tensor, "n c"],
    into: Int[Tensor, " pairs"],
    onto: Int[Tensor, " pairs"],
) -> None:
    """Let one tap's cells challenge the largest values so far, in place."""
    value, so_far = feats.index_select(0, into), largest.index_select(0, onto)
    holder = winner.index_select(0, onto)
    wins = (value > so_far) | value.isnan() | (holder == len(feats))
    largest.index_copy_(0, onto, torch.where(wins, value, so_far))
    winner.index_copy_(0, onto, torch.where(wins, into.long().unsqueeze(1), holder))
