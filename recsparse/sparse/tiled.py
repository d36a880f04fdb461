"""Convolution along pairs by torch operations alone, on any device: gather, multiply, add.

The work goes tile by tile of output cells, so that the tile stays in cache while all taps add to
it, and buffers are of the size of a tile and not of all pairs. On one device and number of threads
the order of every sum is fixed, but for the gradient of features under a table of neighbours on a
GPU, where pairs of one tap add to a cell at once (`torch.use_deterministic_algorithms` orders
them). Other numbers of threads may round products differently, as torch's own matrix products do;
the compiled kernels do not.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.precision import wide_type
from recsparse.sparse.sorted_pairs import sorted_by_output, tile_bounds

_TILE_ROWS = 16_384  # with 64 channels a tile and its buffers take 12 MB
_BLOCK = 4096  # of rows of a tall matrix
_DEVICE_TILE_ROWS = 1_048_576  # elsewhere caches are small, and to launch an operation costs more


def tiled_conv(
    feats: Float[Tensor, "n_in c_in"],
    taps: Float[Tensor, "t g k m"],
    bias: Float[Tensor, " c_out"] | None,
    pairs: KernelMap,
) -> Float[Tensor, "n_out c_out"]:
    """Return `bias + sum over pairs (i, o) of tap t: x[i] W_t` for each output cell o.

    Low-precision types are multiplied as they are and added up in float32.

    Args:
        feats: Features of the input cells.
        taps: The matrix of each tap and group.
        bias: One number an output channel.
        pairs: The kernel map.

    Returns:
        Features of the output cells, of the type of `feats`.
    """
    pairs = sorted_by_output(pairs)
    channels, rows = taps.shape[1] * taps.shape[3], _rows_of_tile(pairs)
    wide = wide_type(feats.dtype)
    own = [tap for tap in range(pairs.num_taps) if pairs.is_identity(tap)]
    ends = {tap: pairs.tap(tap) for tap in range(pairs.num_taps) if tap not in own}
    bounds = tile_bounds(pairs, rows)
    out = feats.new_empty(pairs.num_out, channels)
    for number, start in enumerate(range(0, pairs.num_out, rows)):
        tile = out[start : start + rows]
        # Added up where it belongs, unless in a wider type.
        total = tile if wide == out.dtype else tile.new_empty(tile.shape, dtype=wide)
        _start(total, feats[start : start + rows], taps[own], bias)
        for tap, (into, onto) in ends.items():
            some = slice(bounds[tap][number], bounds[tap][number + 1])
            if some.start < some.stop:
                # index_select is several times faster than indexing by brackets.
                product = _multiply(feats.index_select(0, into[some]), taps[tap])
                # By 64-bit indices, for which torch adds six times as fast as by 32-bit ones.
                total.index_add_(0, onto[some].long() - start, product.to(wide))
        if total is not tile:
            tile.copy_(total)
    return out


def tiled_conv_weight(
    feats: Float[Tensor, "n_in c_in"],
    grad_out: Float[Tensor, "n_out c_out"],
    pairs: KernelMap,
    groups: int,
) -> Float[Tensor, "t g k m"]:
    """Return `sum over pairs (i, o) of tap t: x[i]^T g[o]` for each tap and group.

    Args:
        feats: Features of the input cells.
        grad_out: Gradient at the output cells.
        pairs: The kernel map.
        groups: Number of groups of channels.

    Returns:
        One matrix per tap and group, of the type of `feats`.
    """
    sizes = groups, feats.shape[1] // groups, grad_out.shape[1] // groups
    total = feats.new_zeros(pairs.num_taps, *sizes, dtype=wide_type(feats.dtype))
    for tap in range(pairs.num_taps):
        for left, right in _rows_of_tap(feats, grad_out, pairs, tap):
            if groups == 1:
                multiply = _by_blocks if pairs.is_identity(tap) else torch.mm
                total[tap, 0] += multiply(left.T, right)
            else:
                left, right = (side.unflatten(1, (groups, -1)) for side in (left, right))
                total[tap] += torch.einsum("pgk,pgm->gkm", left, right)
    return total.to(feats.dtype)


def _rows_of_tap(
    feats: Tensor, grad_out: Tensor, pairs: KernelMap, tap: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the rows at both ends of a tap's pairs, tile by tile."""
    rows = _TILE_ROWS if feats.device.type == "cpu" else _DEVICE_TILE_ROWS
    if pairs.is_identity(tap):  # views, which take no memory
        yield from zip(feats.split(16 * rows), grad_out.split(16 * rows), strict=True)
        return
    into, onto = pairs.tap(tap)
    for some, other in zip(into.split(rows), onto.split(rows), strict=True):
        yield feats.index_select(0, some), grad_out.index_select(0, other)


def _multiply(
    rows: Float[Tensor, "n c_in"], weight: Float[Tensor, "g k m"]
) -> Float[Tensor, "n c_out"]:
    groups, per_group, _ = weight.shape
    if groups == 1:
        return rows @ weight[0]
    if per_group == 1:
        return (rows.unsqueeze(2) * weight[:, 0]).flatten(1)
    return torch.einsum("ngk,gkm->ngm", rows.unflatten(1, (groups, -1)), weight).flatten(1)


def _start(
    total: Float[Tensor, "n c_out"],
    rows: Float[Tensor, "n_in c_in"],
    own: Float[Tensor, "own g k m"],
    bias: Float[Tensor, " c_out"] | None,
) -> None:
    """Set the sums to the bias and the products of cells with themselves, if there are any."""
    if len(own) and own.shape[1] == 1 and total.dtype == rows.dtype:
        # In one pass: fresh memory is slow to touch.
        if bias is None:
            torch.mm(rows, own[0, 0], out=total)
        else:
            torch.addmm(bias, rows, own[0, 0], out=total)
        return
    total.copy_(bias.expand_as(total)) if bias is not None else total.zero_()
    if len(own):
        total += _multiply(rows, own[0])


def _by_blocks(left: Float[Tensor, "k p"], right: Float[Tensor, "p m"]) -> Float[Tensor, "k m"]:
    """Return `left @ right` by blocks of their long side, a quarter faster than at once."""
    whole = right.shape[0] // _BLOCK * _BLOCK
    blocks = left[:, :whole].unflatten(1, (-1, _BLOCK)).transpose(0, 1)
    products = blocks @ right[:whole].unflatten(0, (-1, _BLOCK))
    return products.sum(0, dtype=wide_type(left.dtype)) + left[:, whole:] @ right[whole:]


def _rows_of_tile(pairs: KernelMap) -> int:
    """Return how many output cells a tile has.

    A tile pays by staying in cache while other cells add to it, so grids with few neighbours get
    larger tiles: each has about as many pairs of two cells as the smallest tile has cells.
    """
    smallest = _TILE_ROWS if pairs.out_index.device.type == "cpu" else _DEVICE_TILE_ROWS
    return max(smallest, pairs.num_out * smallest // max(len(pairs.out_index), 1))
