"""The pairs of a kernel map: every active input cell under every tap of every output cell."""

import itertools
from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.sparse import native
from recsparse.sparse.coords import find_keys, ravel_coords


@torch.library.custom_op("recsparse::cell_pairs", mutates_args=())
def cell_pairs(
    in_coords: Tensor,
    out_coords: Tensor,
    in_shape: list[int],
    size: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    num_taps: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Join input cell `stride · o − padding + dilation · t` to output cell `o`, tap by tap.

    Args:
        in_coords: (n, 1 + D), sorted by key, without repetition.
        out_coords: (m, 1 + D), likewise.
        in_shape: Size of each axis of the input.
        size: Number of taps per axis.
        stride: Distance of windows per axis.
        padding: Reach of the first window per axis.
        dilation: Distance between taps per axis.
        num_taps: How many of the taps are wanted, from the first in row-major order.

    Returns:
        The input cell and the output cell of each pair, int32, both rising under each tap; and, on
        the CPU, where the pairs of each tap begin and end (num_taps + 1).
    """
    taps = list(itertools.islice(itertools.product(*map(range, size)), num_taps))
    offsets = [[d * t for d, t in zip(dilation, tap, strict=True)] for tap in taps]
    start = [-pad for pad in padding]
    if in_coords.device.type == "cpu" and native.kernels().library is not None:
        found = _merged(in_coords, out_coords, in_shape, stride, start, offsets)
        if found is not None:
            return found
    return _looked_up(in_coords, out_coords, in_shape, stride, start, offsets)


@cell_pairs.register_fake
def _(
    in_coords: Tensor,
    out_coords: Tensor,
    in_shape: list[int],
    size: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    num_taps: int,
) -> tuple[Tensor, Tensor, Tensor]:
    num_pairs = torch.library.get_ctx().new_dynamic_size()
    ends = [in_coords.new_empty(num_pairs, dtype=torch.int32) for _ in range(2)]
    return ends[0], ends[1], torch.empty(num_taps + 1, dtype=torch.int64)


def _merged(
    in_coords: Int[Tensor, "n d_1"],
    out_coords: Int[Tensor, "m d_1"],
    in_shape: Sequence[int],
    stride: Sequence[int],
    start: Sequence[int],
    offsets: Sequence[Sequence[int]],
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Merge rising lists of keys; None where the keys of all places read do not fit 63 bits."""
    axes = range(len(in_shape))
    onto_itself = out_coords.is_set_to(in_coords) and set(stride) <= {1}
    last_sample = max([0, *in_coords[-1:, 0].tolist(), *out_coords[-1:, 0].tolist()])
    highest = [size - 1 for size in in_shape]
    if not onto_itself and len(out_coords):
        highest = out_coords[:, 1:].amax(0).tolist()
    furthest = [max((offset[axis] for offset in offsets), default=0) for axis in axes]
    reach = [stride[a] * highest[a] + start[a] + furthest[a] for a in axes]
    sizes = native.padded_sizes(in_shape, start, reach, last_sample + 1)
    if sizes is None:
        return None
    in_keys = native.affine_keys(in_coords.long(), [1] * len(sizes), sizes)
    out_keys = in_keys if onto_itself else native.affine_keys(out_coords.long(), stride, sizes)
    # A key is linear in the place, so where the window starts is part of a tap's offset.
    steps = [prod(sizes[axis + 1 :]) for axis in axes]
    key_offsets = [sum((start[a] + offset[a]) * steps[a] for a in axes) for offset in offsets]
    return native.merged_pairs(in_keys, out_keys, key_offsets)


def _looked_up(
    in_coords: Int[Tensor, "n d_1"],
    out_coords: Int[Tensor, "m d_1"],
    in_shape: Sequence[int],
    stride: Sequence[int],
    start: Sequence[int],
    offsets: Sequence[Sequence[int]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Look the place of every tap up in the sorted keys, by torch operations on any device."""
    device = in_coords.device
    in_keys = ravel_coords(in_coords, in_shape)
    first = out_coords.clone()
    first[:, 1:] *= torch.tensor(stride, device=device)
    first[:, 1:] += torch.tensor(start, device=device)
    pairs = [_pairs_of_tap(in_keys, first, in_shape, offset) for offset in offsets]
    nothing = torch.zeros(0, dtype=torch.int32, device=device)
    in_index = torch.cat([nothing, *(ends[0] for ends in pairs)])
    out_index = torch.cat([nothing, *(ends[1] for ends in pairs)])
    tap_ptr = torch.tensor([0, *itertools.accumulate(len(ends[0]) for ends in pairs)])
    return in_index, out_index, tap_ptr


def _pairs_of_tap(
    in_keys: Int[Tensor, " n"],
    start: Int[Tensor, "m d_1"],
    in_shape: Sequence[int],
    offset: Sequence[int],
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
    """Return the input and output cells with the input at start + offset."""
    device = start.device
    moved = start + torch.tensor([0, *offset], device=device)
    inside = (moved[:, 1:] >= 0) & (moved[:, 1:] < torch.tensor(in_shape, device=device))
    # A key outside the grid would be that of another cell: it is left out before the look-up.
    out_index = inside.all(dim=1).nonzero().flatten()
    found = find_keys(in_keys, ravel_coords(moved, in_shape)[out_index])
    hit = found >= 0
    return found[hit].int(), out_index[hit].int()
