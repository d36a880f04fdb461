"""Sums in low precision: float16 and bfloat16 are added up in float32, and rounded once at the end.

float16 overflows beyond 65,504, and bfloat16 stays at 256 where 1 is added to it again and again.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_LOW = (torch.float16, torch.bfloat16)


def is_low(dtype: torch.dtype) -> bool:
    """Say whether sums of a type need a wider one.

    Args:
        dtype: A floating type.

    Returns:
        True for float16 and bfloat16.

    Example:
        >>> is_low(torch.bfloat16), is_low(torch.float64)
        (True, False)
    """
    return dtype in _LOW


def wide_type(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which numbers of another are added up.

    Args:
        dtype: A floating type.

    Returns:
        float32 for float16 and bfloat16, else the type itself.

    Example:
        >>> wide_type(torch.float16), wide_type(torch.float64)
        (torch.float32, torch.float64)
    """
    return torch.float32 if is_low(dtype) else dtype


def widened(feats: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return low-precision features in float32, others as they are.

    Args:
        feats: Features of any floating type.

    Returns:
        Features to add up without loss.

    Example:
        >>> widened(torch.ones(1, dtype=torch.bfloat16)).dtype, widened(torch.ones(1)).dtype
        (torch.float32, torch.float32)
    """
    return feats.to(wide_type(feats.dtype))


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which products have the type of their factors, at no cost if they do.

    Args:
        device: Where they are computed.

    Returns:
        The context.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16), without_autocast(torch.device("cpu")):
        ...     (torch.ones(1, 1) @ torch.ones(1, 1)).dtype
        torch.float32
    """
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def rows_at(feats: Float[Tensor, "n c"], index: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
    """Return rows that may be wanted several times: `feats.index_select(0, index)`.

    Args:
        feats: Rows.
        index: Which of them, repetitions allowed.

    Returns:
        One row for each; the gradients of a row's repetitions are added up in `wide_type`.

    Example:
        >>> feats = torch.ones(1, 1, dtype=torch.bfloat16, requires_grad=True)
        >>> rows_at(feats, torch.zeros(1000, dtype=torch.int64)).sum().backward()
        >>> feats.grad.item()
        1000.0
    """
    return widened(feats).index_select(0, index).to(feats.dtype)


def in_wide_type(module: nn.Module, feats: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
    """Apply a module of plain layers with parameters and features in `wide_type`, autocast off.

    Args:
        module: Of torch's layers.
        feats: Its input.

    Returns:
        What it returns, not rounded to the type of the features.

    Example:
        >>> layer = nn.Linear(2, 1).bfloat16()
        >>> in_wide_type(layer, torch.ones(1, 2, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    with torch.autocast(feats.device.type, enabled=False):
        parameters: Mapping[str, Any] = dict(module.named_parameters())
        if not any(is_low(part.dtype) for part in (feats, *parameters.values())):
            return module(feats)
        wide = {name: widened(part) for name, part in parameters.items()}
        return torch.func.functional_call(module, wide, (widened(feats),))
