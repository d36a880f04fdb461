"""The operator behind maximum pooling: which input cell holds the largest value of a window."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.sorted_pairs import sorted_by_output, tile_bounds

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
    winner = feats.new_empty(num_out, feats.shape[1], dtype=torch.int64)
    taps = [pairs.tap(tap) for tap in range(pairs.num_taps)]
    bounds = tile_bounds(pairs, rows)
    for number, start in enumerate(range(0, num_out, rows)):
        tile = winner[start : start + rows]
        slices = (slice(bound[number], bound[number + 1]) for bound in bounds)
        some = [
            (into[part], onto[part].long() - start)
            for (into, onto), part in zip(taps, slices, strict=True)
        ]
        tile.copy_(_winners_of_tile(feats, some, len(tile)))
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


def _winners_of_tile(
    feats: Float[Tensor, "n c"],
    taps: Sequence[tuple[Tensor, Tensor]],
    num_rows: int,
) -> Int[Tensor, "rows c"]:
    # Each window starts with its first cell, which no comparison would choose if it were -inf.
    first = torch.full((num_rows,), len(feats), dtype=torch.int32, device=feats.device)
    for into, onto in reversed(taps):
        first.index_copy_(0, onto, into)
    winner = first.unsqueeze(1).repeat(1, feats.shape[1])
    largest = feats.new_full(winner.shape, -torch.inf)
    for into, onto in taps:
        value, so_far = feats.index_select(0, into), largest.index_select(0, onto)
        largest.index_copy_(0, onto, torch.maximum(value, so_far))
        wins = (value > so_far) | value.isnan()
        holder = winner.index_select(0, onto)
        # On a CPU torch.where would take a hundred times as long as this sum.
        winner.index_copy_(0, onto, holder + wins.int() * (into.unsqueeze(1) - holder))
    return winner
