"""The two operators behind every convolution; each is the gradient of the other.

`pair_conv` gives `out[o] = bias + sum over taps t and pairs (i, o) of t: x[i] W_t`, and
`pair_conv_weight` gives `dW_t = sum over pairs (i, o) of t: x[i]^T g[o]`. Both are linear in each
tensor, so gradients of any order are made of the same two. They are known to torch by name, so
that `torch.compile` and `torch.export` keep them whole. On a CPU sums are exact to the type of the
result: float16, and bfloat16 where the processor does not multiply it, go by way of float32.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from recsparse.sparse import native, native_conv
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.precision import is_low, widened, without_autocast
from recsparse.sparse.tiled import tiled_conv, tiled_conv_weight


@torch.library.custom_op("recsparse::pair_conv", mutates_args=())
def pair_conv(
    feats: Tensor,
    taps: Tensor,
    bias: Tensor | None,
    in_index: Tensor,
    out_index: Tensor,
    tap_ptr: Tensor,
    num_out: int,
    symmetric: bool,
    monotone: bool,
) -> Tensor:
    """Convolve along the pairs of a kernel map, whose fields follow the three tensors.

    Args:
        feats: (num_in, groups · c_in).
        taps: (taps, groups, c_in, c_out).
        bias: (groups · c_out) or None.
        in_index: The input cell of each pair.
        out_index: The output cell of each pair.
        tap_ptr: Where the pairs of each stored tap begin and end.
        num_out: Number of output cells.
        symmetric: Whether half of the taps stand for all.
        monotone: Whether both ends rise under each tap.

    Returns:
        (num_out, groups · c_out), of the type of the features.
    """
    pairs = KernelMap(in_index, out_index, tap_ptr, len(feats), num_out, symmetric, monotone)
    dtype, ends = feats.dtype, taps.shape[2:]
    if _goes_by_float32(feats, *ends):
        feats, taps, bias = widened(feats), widened(taps), bias if bias is None else widened(bias)
    convolve = native_conv.conv if native.can_run(feats, *ends) else tiled_conv
    # Autocast would round the products of torch operations.
    with without_autocast(feats.device):
        return convolve(feats, taps, bias, pairs).to(dtype)


@torch.library.custom_op("recsparse::pair_conv_weight", mutates_args=())
def pair_conv_weight(
    feats: Tensor,
    grad_out: Tensor,
    in_index: Tensor,
    out_index: Tensor,
    tap_ptr: Tensor,
    groups: int,
    symmetric: bool,
    monotone: bool,
) -> Tensor:
    """Sum the outer products of the pairs of each tap: the gradient of the taps.

    Args:
        feats: (num_in, groups · c_in).
        grad_out: (num_out, groups · c_out).
        in_index: The input cell of each pair.
        out_index: The output cell of each pair.
        tap_ptr: Where the pairs of each stored tap begin and end.
        groups: Number of groups of channels that do not mix.
        symmetric: Whether half of the taps stand for all.
        monotone: Whether both ends rise under each tap.

    Returns:
        (taps, groups, c_in, c_out).
    """
    pairs = KernelMap(in_index, out_index, tap_ptr, len(feats), len(grad_out), symmetric, monotone)
    dtype, ends = feats.dtype, (feats.shape[1] // groups, grad_out.shape[1] // groups)
    if _goes_by_float32(feats, *ends):
        feats, grad_out = widened(feats), widened(grad_out)
    multiply = native_conv.conv_weight if native.can_run(feats, *ends) else tiled_conv_weight
    with without_autocast(feats.device):
        return multiply(feats, grad_out, pairs, groups).to(dtype)


def _goes_by_float32(feats: Tensor, in_channels: int, out_channels: int) -> bool:
    """Say whether to convert to float32 and back: a CPU multiplies 16 bits much more slowly.

    Products are then not rounded one by one either. On other devices they are multiplied as they
    are, which is what is fast there.
    """
    low = feats.device.type == "cpu" and is_low(feats.dtype)
    return low and not native.can_run(feats, in_channels, out_channels)


@pair_conv.register_fake
def _(
    feats: Tensor,
    taps: Tensor,
    bias: Tensor | None,
    in_index: Tensor,
    out_index: Tensor,
    tap_ptr: Tensor,
    num_out: int,
    symmetric: bool,
    monotone: bool,
) -> Tensor:
    return feats.new_empty(num_out, taps.shape[1] * taps.shape[3])


@pair_conv_weight.register_fake
def _(
    feats: Tensor,
    grad_out: Tensor,
    in_index: Tensor,
    out_index: Tensor,
    tap_ptr: Tensor,
    groups: int,
    symmetric: bool,
    monotone: bool,
) -> Tensor:
    stored = tap_ptr.shape[0] - 1
    num_taps = 2 * stored + 1 if symmetric else stored
    return feats.new_empty(num_taps, groups, feats.shape[1] // groups, grad_out.shape[1] // groups)


@register_flop_formula(torch.ops.recsparse.pair_conv)
def _conv_flops(
    feats: torch.Size,
    taps: torch.Size,
    bias: torch.Size | None,
    in_index: torch.Size,
    out_index: torch.Size,
    tap_ptr: torch.Size,
    num_out: int,
    symmetric: bool,
    monotone: bool,
    **_: Any,
) -> int:
    """Count two operations for each multiplication and addition, as torch does."""
    pairs = 2 * in_index[0] + num_out if symmetric else in_index[0]
    return 2 * pairs * taps[1] * taps[2] * taps[3]


@register_flop_formula(torch.ops.recsparse.pair_conv_weight)
def _conv_weight_flops(
    feats: torch.Size,
    grad_out: torch.Size,
    in_index: torch.Size,
    out_index: torch.Size,
    tap_ptr: torch.Size,
    groups: int,
    symmetric: bool,
    monotone: bool,
    **_: Any,
) -> int:
    pairs = 2 * in_index[0] + grad_out[0] if symmetric else in_index[0]
    return 2 * pairs * feats[1] * grad_out[1] // groups


def _save_conv(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    feats, taps, _, *pairs, _num_out, ctx.symmetric, ctx.monotone = inputs
    ctx.save_for_backward(feats, taps, *pairs)


def _conv_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    feats, taps, in_index, out_index, tap_ptr = ctx.saved_tensors
    kind = ctx.symmetric, ctx.monotone
    # Here and below shape[0], since len() fixes a number of cells that torch.compile leaves open.
    grad = grad.contiguous()  # that of a sum is one expanded number: slow to gather
    grad_feats = grad_taps = grad_bias = None
    if ctx.needs_input_grad[0]:
        back = taps.transpose(2, 3)
        grad_feats = pair_conv(
            grad, back, None, out_index, in_index, tap_ptr, feats.shape[0], *kind
        )
    if ctx.needs_input_grad[1]:
        groups = taps.shape[1]
        grad_taps = pair_conv_weight(feats, grad, in_index, out_index, tap_ptr, groups, *kind)
    if ctx.needs_input_grad[2]:
        # A sum with one result is split among threads, whose number then shows in its last bits.
        grad_bias = grad.sum(0) if grad.shape[1] != 1 else grad.expand(-1, 2).sum(0)[:1]
    return grad_feats, grad_taps, grad_bias, None, None, None, None, None, None


def _save_conv_weight(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.groups, ctx.symmetric, ctx.monotone = inputs
    ctx.save_for_backward(*tensors)


def _conv_weight_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    feats, grad_out, in_index, out_index, tap_ptr = ctx.saved_tensors
    kind = ctx.symmetric, ctx.monotone
    grad_feats = grad_of_grad = None
    if ctx.needs_input_grad[0]:
        back = grad.transpose(2, 3)
        grad_feats = pair_conv(
            grad_out, back, None, out_index, in_index, tap_ptr, feats.shape[0], *kind
        )
    if ctx.needs_input_grad[1]:
        grad_of_grad = pair_conv(
            feats, grad, None, in_index, out_index, tap_ptr, grad_out.shape[0], *kind
        )
    return grad_feats, grad_of_grad, None, None, None, None, None, None


pair_conv.register_autograd(_conv_gradients, setup_context=_save_conv)
pair_conv_weight.register_autograd(_conv_weight_gradients, setup_context=_save_conv_weight)
