"""Losses over the items of a row, or of an event."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsparse.errors import InputError


def masked_softmax_loss(
    logits: Float[Tensor, "rows m"],
    kept: Int[Tensor, "n_kept 2"],
    targets: Int[Tensor, "n_targets 2"],
    weights: Float[Tensor, " n_weights"],
) -> Float[Tensor, ""]:
    """Return the softmax cross-entropy of hidden cells, where seen cells do not compete.

    Multinomial likelihood after Liang et al. 2018 (https://arxiv.org/abs/1802.05814, eq. 2),
    averaged over the target cells. The kept cells leave the softmax, as they leave the ranking.

    Args:
        logits: Scores of all items for each row.
        kept: (row, item) of the cells that the model saw.
        targets: (row, item) of the cells to predict, disjoint from `kept`.
        weights: Non-negative weight of each target.

    Returns:
        The weighted mean of the negative log-probabilities; zero where no target has any weight.

    Raises:
        InputError: If the number of weights and of targets differ.

    Example:
        >>> logits = torch.zeros(1, 3)
        >>> cell = lambda item: torch.tensor([[0, item]])
        >>> loss = masked_softmax_loss(logits, cell(0), cell(1), torch.ones(1))
        >>> round(loss.exp().item(), 4)  # two items are left to choose from
        2.0
    """
    if len(weights) != len(targets):
        raise InputError(
            f"weights must have one entry per target, but got {len(weights)} for {len(targets)}"
        )
    if len(targets) == 0:
        return logits.sum() * 0.0
    masked = logits.index_put((kept[:, 0], kept[:, 1]), logits.new_tensor(-torch.inf))
    log_probability = masked.log_softmax(dim=1)[targets[:, 0], targets[:, 1]]
    total = weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    return -(weights * log_probability).sum() / total


def full_softmax_loss(
    summary: Float[Tensor, "n d"],
    vectors: Float[Tensor, "m d"],
    bias: Float[Tensor, " m"],
    targets: Int[Tensor, " n"],
    weights: Float[Tensor, " n"],
) -> Float[Tensor, ""]:
    """Return the softmax cross-entropy over all items of `summary @ vectors.T + bias`.

    The scores are made, used and overwritten a few rows at a time, forward and backward, so that
    n × m numbers are neither stored nor carried to memory and back.

    Args:
        summary: One vector per event.
        vectors: One vector per item.
        bias: One number per item.
        targets: The item to predict after each event.
        weights: Non-negative weight of each event.

    Returns:
        The weighted mean of the negative log-probabilities; zero where no event has any weight.

    Example:
        >>> event, items, bias = torch.zeros(1, 2), torch.ones(4, 2), torch.zeros(4)
        >>> loss = full_softmax_loss(event, items, bias, torch.tensor([3]), torch.ones(1))
        >>> round(loss.exp().item(), 4)
        4.0
    """
    loss: Tensor = _FullSoftmaxLoss.apply(  # type: ignore[no-untyped-call]
        summary, vectors, bias, targets, weights
    )
    return loss


# Numbers of scores that stay near the processor.
_SCORES_AT_ONCE = 1_000_000


class _FullSoftmaxLoss(torch.autograd.Function):
    """The gradient is made along with the loss, whose factor it is multiplied by later."""

    @staticmethod
    def forward(
        ctx: Any, summary: Tensor, vectors: Tensor, bias: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        rows = max(1, _SCORES_AT_ONCE // max(len(vectors), 1))
        share = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
        gradients = torch.empty_like(summary), torch.zeros_like(vectors), torch.zeros_like(bias)
        buffer = summary.new_empty(min(rows, len(summary)), len(vectors))
        # Under autocast the products, which take most of the time, are in its type; sums are not.
        device = summary.device.type
        dtype = summary.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        factors = summary.to(dtype), vectors.to(dtype)
        loss = summary.new_zeros(())
        for start in range(0, len(summary), rows):
            block = slice(start, start + rows)
            scores = buffer[: len(summary[block])]
            torch.add(factors[0][block] @ factors[1].T, bias, out=scores)
            loss += _loss_and_gradient(scores, targets[block, None], share[block, None])
            gradients[2].add_(scores.sum(dim=0))
            rounded = scores.to(dtype)
            gradients[0][block] = rounded @ factors[1]
            gradients[1].add_(rounded.T @ factors[0][block])
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * grad for gradient in ctx.saved_tensors), None, None)


def _loss_and_gradient(scores: Tensor, targets: Tensor, share: Tensor) -> Tensor:
    """Return the loss of some rows, and leave its gradient in the place of their scores."""
    hit = scores.gather(1, targets) - scores.amax(dim=1, keepdim=True)
    torch.softmax(scores, dim=1, out=scores)
    # The largest probability is one over the sum that a softmax divides by.
    loss = ((-scores.amax(dim=1, keepdim=True).log() - hit) * share).sum()
    scores.mul_(share).scatter_add_(1, targets, -share)
    return loss
