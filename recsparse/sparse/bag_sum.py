"""Sums of weighted rows: a sparse matrix times a dense one, without laying its cells out."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from recsparse.sparse.precision import widened


@torch.library.custom_op("recsparse::bag_sum", mutates_args=())
def bag_sum(rows: Tensor, weights: Tensor, row: Tensor, bag: Tensor, num_bags: int) -> Tensor:
    """Sum the weighted rows of each bag, `out_b = sum_k weights_k rows[row_k]` over its cells k.

    Rows are read, weighted and added up one after the other; n rows of c channels, as a gather and
    a scatter would make them, are never there. The gradient of the rows is the same sum with rows
    and bags in each other's place, so there are gradients of any order. Torch knows it by name, so
    that `torch.compile` and `torch.export` keep it whole.

    Args:
        rows: (v, c), what is summed.
        weights: (n,), the weight of each cell.
        row: (n,), the row of each cell.
        bag: (n,), the bag of each cell, in rising order.
        num_bags: Number of bags.

    Returns:
        (num_bags, c), one row a bag; zero for one without cells.
    """
    starts = torch.searchsorted(bag, torch.arange(num_bags + 1, device=bag.device))
    return torch.nn.functional.embedding_bag(
        row, rows, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


@bag_sum.register_fake
def _shape(rows: Tensor, weights: Tensor, row: Tensor, bag: Tensor, num_bags: int) -> Tensor:
    return rows.new_empty(num_bags, rows.shape[1])


@register_flop_formula(torch.ops.recsparse.bag_sum)
def _flops(rows: torch.Size, weights: torch.Size, *_: Any, **__: Any) -> int:
    """Count two operations for each multiplication and addition, as torch does."""
    return 2 * weights[0] * rows[1]


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    rows, weights, row, bag = ctx.saved_tensors
    of_rows = of_weights = None
    if ctx.needs_input_grad[0]:
        by_row, order = row.sort(stable=True)
        # That of a sum is one expanded number: slow to read.
        of_rows = bag_sum(grad.contiguous(), weights[order], bag[order], by_row, rows.shape[0])
    if ctx.needs_input_grad[1]:
        of_weights = (widened(rows[row]) * grad[bag]).sum(dim=1).to(weights.dtype)
    return of_rows, of_weights, None, None, None


bag_sum.register_autograd(_gradients, setup_context=_save)
