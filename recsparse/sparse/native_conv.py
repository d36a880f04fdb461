"""Convolution along pairs by the compiled kernels."""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from recsparse.sparse import native
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.sorted_pairs import sorted_by_output

_DTYPE_NAMES = {torch.float32: "f32", torch.float64: "f64", torch.bfloat16: "bf16"}


class _ConvArgs(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "other", "bias", "result")),
        *((name, ctypes.c_void_p) for name in ("in_index", "out_index", "tap_ptr")),
        *((name, ctypes.c_int64) for name in ("stored", "symmetric", "repeats", "n_in", "n_out")),
        *((name, ctypes.c_int64) for name in ("groups", "c_in", "c_out", "threads")),
    ]


def conv(
    feats: Float[Tensor, "n_in c_in"],
    taps: Float[Tensor, "t g k m"],
    bias: Float[Tensor, " c_out"] | None,
    pairs: KernelMap,
) -> Float[Tensor, "n_out c_out"]:
    """Return what `tiled_conv` returns.

    Args:
        feats: Features of the input cells.
        taps: The matrix of each tap and group.
        bias: One number an output channel.
        pairs: The kernel map.

    Returns:
        Features of the output cells.
    """
    groups, per_group, columns = taps.shape[1:]
    out = native.empty(feats, pairs.num_out, groups * columns)
    sizes = groups, per_group, columns
    _call("conv", feats, taps, bias, out, pairs, sizes)
    return out


def conv_weight(
    feats: Float[Tensor, "n_in c_in"],
    grad_out: Float[Tensor, "n_out c_out"],
    pairs: KernelMap,
    groups: int,
) -> Float[Tensor, "t g k m"]:
    """Return what `tiled_conv_weight` returns.

    Args:
        feats: Features of the input cells.
        grad_out: Gradient at the output cells.
        pairs: The kernel map.
        groups: Number of groups of channels.

    Returns:
        One matrix per tap and group.
    """
    sizes = groups, feats.shape[1] // groups, grad_out.shape[1] // groups
    total = feats.new_empty(pairs.num_taps, *sizes)
    _call("weight", feats, grad_out, None, total, pairs, sizes)
    return total


def _call(
    name: str,
    feats: Tensor,
    other: Tensor,
    bias: Tensor | None,
    result: Tensor,
    pairs: KernelMap,
    sizes: tuple[int, int, int],
) -> None:
    pairs = sorted_by_output(pairs)
    # Held by names until the call is over: a temporary tensor would be freed before.
    tensors = [part if part is None else part.contiguous() for part in (feats, other, bias)]
    ends = pairs.in_index.contiguous(), pairs.out_index.contiguous(), pairs.tap_ptr.contiguous()
    pointers = [part if part is None else part.data_ptr() for part in (*tensors, result, *ends)]
    num_threads = torch.get_num_threads()
    args = _ConvArgs(
        *pointers,
        len(pairs.tap_ptr) - 1,
        pairs.symmetric,
        not pairs.monotone,
        pairs.num_in,
        pairs.num_out,
        *sizes,
        num_threads,
    )
    name = f"rs_{name}_{_DTYPE_NAMES[feats.dtype]}_{native.kernels().variant}"
    getattr(native.kernels().library, name)(ctypes.byref(args))
