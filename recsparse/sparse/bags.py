"""Sums of weighted rows: a sparse matrix times a dense one, without laying its cells out."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


def bag_sum(
    rows: Float[Tensor, "v c"],
    weights: Float[Tensor, " n"],
    row: Int[Tensor, " n"],
    bag: Int[Tensor, " n"],
    num_bags: int,
) -> Float[Tensor, "b c"]:
    """Sum the weighted rows of each bag, `out_b = sum_k weights_k rows[row_k]` over its cells k.

    Rows are read, weighted and added up one after the other; n rows of c channels, as a gather and
    a scatter would make them, are never there. The gradient of the rows is the same sum with rows
    and bags in each other's place, so there are gradients of any order.

    Args:
        rows: What is summed.
        weights: The weight of each cell.
        row: The row of each cell.
        bag: The bag of each cell, in rising order.
        num_bags: Number of bags.

    Returns:
        One row a bag; zero for one without cells.

    Example:
        >>> rows = torch.tensor([[1.0], [10.0]])
        >>> cells = torch.tensor([0, 1]), torch.tensor([1, 1])
        >>> bag_sum(rows, torch.tensor([2.0, 3.0]), *cells, 2).tolist()
        [[0.0], [32.0]]
    """
    summed: Tensor = _BagSum.apply(  # type: ignore[no-untyped-call]
        rows, weights, row, bag, num_bags
    )
    return summed


class _BagSum(torch.autograd.Function):
    """Torch's own operation of this kind has no second derivative."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weights: Tensor, row: Tensor, bag: Tensor, num_bags: int
    ) -> Tensor:
        ctx.save_for_backward(rows, weights, row, bag)
        starts = torch.searchsorted(bag, torch.arange(num_bags + 1, device=bag.device))
        return torch.nn.functional.embedding_bag(
            row, rows, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, weights, row, bag = ctx.saved_tensors
        of_rows = of_weights = None
        if ctx.needs_input_grad[0]:
            by_row, order = row.sort(stable=True)
            of_rows = bag_sum(grad, weights[order], bag[order], by_row, len(rows))
        if ctx.needs_input_grad[1]:
            of_weights = (rows[row] * grad[bag]).sum(dim=1)
        return of_rows, of_weights, None, None, None
