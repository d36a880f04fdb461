"""The one door to torch_scatter: reductions of rows into groups, by index or by pointers.

Where torch_scatter cannot be imported, torch's own operations give the same results, and one
warning says what is lost. Groups without rows get 0. NaN passes on to the result of its group and
to no other. Sums of float16 and bfloat16, and what is made of them, are taken in float32.
"""

import warnings
from functools import cache
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recsparse.sparse.precision import widened

try:
    import torch_scatter
except (ImportError, OSError, RuntimeError):  # a build for another torch fails as the latter two
    torch_scatter = None

_BLOCK = 1024  # rows of a group that are added up one after the other

Backend = Literal["torch_scatter", "torch"]


def backend() -> Backend:
    """Return which kernels the reductions run on.

    Returns:
        `torch_scatter` where it is installed, else `torch`.

    Example:
        >>> backend() in ("torch_scatter", "torch")
        True
    """
    return "torch" if torch_scatter is None else "torch_scatter"


def scatter_sum(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Float[Tensor, "g c"]:
    """Add up the rows of each group.

    Args:
        src: Rows.
        index: The group of each row.
        num_groups: Number of groups.

    Returns:
        One row per group.

    Example:
        >>> scatter_sum(torch.ones(3, 1), torch.tensor([0, 2, 2]), 3).flatten().tolist()
        [1.0, 0.0, 2.0]
    """
    return _wide_sum(src, index, num_groups).to(src.dtype)


def scatter_mean(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Float[Tensor, "g c"]:
    """Average the rows of each group.

    Args:
        src: Rows.
        index: The group of each row.
        num_groups: Number of groups.

    Returns:
        One row per group.

    Example:
        >>> src = torch.tensor([[1.0], [2.0], [4.0]])
        >>> scatter_mean(src, torch.tensor([0, 2, 2]), 3).flatten().tolist()
        [1.0, 0.0, 3.0]
    """
    size = torch.bincount(index, minlength=num_groups).clamp(min=1)
    return (_wide_sum(src, index, num_groups) / size.unsqueeze(1)).to(src.dtype)


def scatter_max(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Float[Tensor, "g c"]:
    """Take the largest value of each group and channel; of equal ones, one gets the gradient.

    NaN counts as the largest value.

    Args:
        src: Rows.
        index: The group of each row.
        num_groups: Number of groups.

    Returns:
        One row per group.

    Example:
        >>> src = torch.tensor([[-1.0], [2.0], [4.0]])
        >>> scatter_max(src, torch.tensor([0, 2, 2]), 3).flatten().tolist()
        [-1.0, 0.0, 4.0]
    """
    if _has_torch_scatter() and _above_minus_infinity(src):
        largest: Tensor = torch_scatter.scatter_max(src, index, dim=0, dim_size=num_groups)[0]
        return largest
    winner = _first_largest(src.detach(), index, num_groups)
    nothing = src.new_zeros(1, src.shape[1])
    return torch.cat([src, nothing]).gather(0, winner)


def scatter_softmax(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Float[Tensor, "n c"]:
    """Return each row's share within its group, channel by channel: `exp(x) / sum exp(x)`.

    Args:
        src: Rows.
        index: The group of each row.
        num_groups: Number of groups.

    Returns:
        One value per row; the shares of a group sum to 1.

    Example:
        >>> scatter_softmax(torch.zeros(3, 1), torch.tensor([0, 2, 2]), 3).flatten().tolist()
        [1.0, 0.5, 0.5]
    """
    # The largest value is subtracted so that nothing overflows; it cancels and needs no gradient.
    wide = widened(src)
    shifted = (wide - scatter_max(wide.detach(), index, num_groups)[index]).exp()
    return (shifted / scatter_sum(shifted, index, num_groups)[index]).to(src.dtype)


def segment_sum(src: Float[Tensor, "n c"], ptr: Int[Tensor, " g_1"]) -> Float[Tensor, "g c"]:
    """Add up the rows of each segment, a group whose rows lie together.

    Args:
        src: Rows, sorted by segment.
        ptr: Segment g owns the rows `ptr[g]` to `ptr[g + 1] - 1`; from 0 to n.

    Returns:
        One row a segment.

    Example:
        >>> segment_sum(torch.ones(3, 1), torch.tensor([0, 1, 1, 3])).flatten().tolist()
        [1.0, 0.0, 2.0]
    """
    return _wide_segment_sum(src, ptr).to(src.dtype)


class _SegmentSum(torch.autograd.Function):
    """The sum of torch_scatter, whose own gradient is taken for a constant by a second one."""

    @staticmethod
    def forward(ctx: Any, src: Tensor, ptr: Tensor) -> Tensor:
        ctx.save_for_backward(ptr)
        total: Tensor = torch_scatter.segment_csr(src, ptr, reduce="sum")
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (ptr,) = ctx.saved_tensors
        return grad.index_select(0, segment_of_rows(ptr)), None


def segment_of_rows(ptr: Int[Tensor, " g_1"]) -> Int[Tensor, " n"]:
    """Return the segment of each row, which turns pointers into an index.

    Args:
        ptr: Segment g owns the rows `ptr[g]` to `ptr[g + 1] - 1`; from 0 to n.

    Returns:
        One number per row, rising.

    Example:
        >>> segment_of_rows(torch.tensor([0, 1, 1, 3])).tolist()
        [0, 2, 2]
    """
    return torch.arange(len(ptr) - 1, device=ptr.device).repeat_interleave(ptr.diff())


def _wide_sum(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Float[Tensor, "g c"]:
    # Added up one after the other, a large sum loses what is small next to it: the rows of large
    # groups are added up in blocks first. Compiled code cannot choose by the number of rows.
    blocks = 1 if torch.compiler.is_compiling() else len(src) // (_BLOCK * max(num_groups, 1))
    if blocks <= 1:
        return _sum_in_turn(widened(src), index, num_groups)
    block = torch.arange(len(src), device=src.device) * blocks // len(src)
    parts = _sum_in_turn(widened(src), block * num_groups + index, blocks * num_groups)
    return parts.unflatten(0, (blocks, num_groups)).sum(0)


def _sum_in_turn(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Float[Tensor, "g c"]:
    if _has_torch_scatter():
        total: Tensor = torch_scatter.scatter_sum(src, index, dim=0, dim_size=num_groups)
        return total
    return src.new_zeros(num_groups, src.shape[1]).index_add(0, index, src)


def _wide_segment_sum(src: Float[Tensor, "n c"], ptr: Int[Tensor, " g_1"]) -> Float[Tensor, "g c"]:
    large = not torch.compiler.is_compiling() and len(src) > 2 * _BLOCK * max(len(ptr) - 1, 1)
    if _has_torch_scatter() and not large:
        total: Tensor = _SegmentSum.apply(widened(src), ptr)  # type: ignore[no-untyped-call]
        return total
    return _wide_sum(src, segment_of_rows(ptr), len(ptr) - 1)


def _first_largest(
    src: Float[Tensor, "n c"], index: Int[Tensor, " n"], num_groups: int
) -> Int[Tensor, "g c"]:
    """Return the first row that holds each group's maximum or NaN; `n` for a group without rows."""
    num_rows, channels = src.shape
    group = index.unsqueeze(1).expand(-1, channels)
    largest = src.new_zeros(num_groups, channels).scatter_reduce(
        0, group, src, "amax", include_self=False
    )
    row = torch.arange(num_rows, device=src.device).unsqueeze(1).expand(-1, channels)
    row = torch.where((src == largest[index]) | src.isnan(), row, num_rows)
    first = torch.full((num_groups, channels), num_rows, device=src.device)
    return first.scatter_reduce(0, group, row, "amin")


def _above_minus_infinity(src: Float[Tensor, "n c"]) -> bool:
    """Say whether torch_scatter finds the maxima: it passes over NaN and loses -inf."""
    # Compiled code cannot look at values, and takes the way that is right for all of them.
    return not torch.compiler.is_compiling() and bool((src > -torch.inf).all())


def _has_torch_scatter() -> bool:
    if torch_scatter is None:
        _warn_once()
    return torch_scatter is not None


@cache
def _warn_once() -> None:
    warnings.warn(
        "torch_scatter cannot be imported, so torch's own kernels are used: the results are the "
        "same, sums and maxima over groups are slower; install recsparse[scatter] after torch to "
        "have it",
        stacklevel=4,
    )
