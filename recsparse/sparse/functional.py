"""Convolution of the features of active cells along a kernel map."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from recsparse.errors import InputError
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.pair_conv import pair_conv


def sparse_conv(
    feats: Float[Tensor, "n_in c_in"],
    weight: Float[Tensor, "c_first c_second *kernel"],
    bias: Float[Tensor, " c_out"] | None,
    kernel_map: KernelMap,
    groups: int = 1,
    transposed: bool = False,
) -> Float[Tensor, "n_out c_out"]:
    """Convolve along a kernel map; forward and backward touch its pairs of active cells only.

    Output cell o gets `sum over taps t and pairs (i, o) of t: W_t x_i`, plus the bias. Gradients of
    any order are computed in the same way, in reverse mode: by `torch.autograd`, its functional
    `jvp`, `hvp` and `hessian` included, not by `torch.func`, whose `vmap` alone works. Under
    autocast the result has autocast's type, as that of torch's convolutions.

    Args:
        feats: Features of the input cells.
        weight: In torch's layout, (c_out, c_in / groups, *kernel_size); if transposed,
            (c_in, c_out / groups, *kernel_size).
        bias: One number an output channel.
        kernel_map: Its taps are those of the kernel, in row-major order.
        groups: Number of groups of channels that do not mix.
        transposed: Whether the weight has the layout of torch's transposed convolutions.

    Returns:
        Features of the output cells.

    Raises:
        InputError: If channels, groups, taps and cells do not fit together.
        NotImplementedError: In forward-mode differentiation.

    Example:
        >>> from recsparse.sparse.grid import Grid
        >>> grid = Grid(torch.tensor([[0, 0], [0, 1], [0, 3]]), (4,), batch_size=1)
        >>> feats = torch.tensor([[1.0], [2.0], [4.0]])
        >>> weight = torch.tensor([[[10.0, 1.0, 0.0]]])  # (c_out, c_in, taps)
        >>> sparse_conv(feats, weight, None, grid.submanifold_map((3,), (1,))).flatten().tolist()
        [1.0, 12.0, 4.0]
    """
    _refuse_forward_mode(feats, weight, bias)
    if torch.is_autocast_enabled(feats.device.type):
        kind = torch.get_autocast_dtype(feats.device.type)
        feats, weight = feats.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    taps = _taps_by_group(weight, groups, transposed)
    _check_sizes(feats, taps, kernel_map)
    _check_bias(bias, taps)
    out: Tensor = pair_conv(feats, taps, bias, *_fields(kernel_map))
    return out


def _taps_by_group(weight: Tensor, groups: int, transposed: bool) -> Float[Tensor, "t g k m"]:
    # What each group of features is multiplied with under each tap.
    if groups < 1 or weight.shape[0] % groups:
        raise InputError(
            f"the channels must be multiples of the groups, but got {tuple(weight.shape)} and "
            f"{groups} groups"
        )
    by_group = weight.flatten(2).movedim(2, 0).unflatten(1, (groups, -1))
    return by_group if transposed else by_group.transpose(2, 3)


def _refuse_forward_mode(*tensors: Tensor | None) -> None:
    # torch's operators would drop the derivative without a word.
    if not torch.compiler.is_compiling() and any(
        part is not None and unpack_dual(part).tangent is not None for part in tensors
    ):
        raise NotImplementedError(
            "sparse convolutions must be differentiated in reverse mode, but got a tensor of "
            "forward mode; use torch.autograd.functional.jvp"
        )


def _fields(kernel_map: KernelMap) -> tuple[Tensor, Tensor, Tensor, int, bool, bool]:
    return (
        kernel_map.in_index,
        kernel_map.out_index,
        kernel_map.tap_ptr,
        kernel_map.num_out,
        kernel_map.symmetric,
        kernel_map.monotone,
    )


def _check_sizes(feats: Tensor, taps: Float[Tensor, "t g k m"], kernel_map: KernelMap) -> None:
    num_taps, groups, per_group, _ = taps.shape
    if feats.shape[1] != per_group * groups:
        raise InputError(
            f"feats must have {per_group} channels for each of {groups} groups, but got "
            f"{feats.shape[1]}"
        )
    if feats.dtype != taps.dtype or feats.device != taps.device:
        raise InputError(
            f"feats and weight must agree in type and device, but got {feats.dtype} on "
            f"{feats.device} and {taps.dtype} on {taps.device}; move one by .to"
        )
    if num_taps != kernel_map.num_taps or feats.shape[0] != kernel_map.num_in:
        raise InputError(
            f"the kernel map must have {num_taps} taps and {len(feats)} input cells, but has "
            f"{kernel_map.num_taps} and {kernel_map.num_in}"
        )


def _check_bias(bias: Float[Tensor, " c"] | None, taps: Float[Tensor, "t g k m"]) -> None:
    channels = taps.shape[1] * taps.shape[3]
    if bias is not None and (len(bias) != channels or bias.dtype != taps.dtype):
        raise InputError(
            f"bias must have {channels} numbers of the weight's {taps.dtype}, but got "
            f"{len(bias)} of {bias.dtype}"
        )
