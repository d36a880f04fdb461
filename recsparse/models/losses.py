"""Losses over the items of a row."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

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
            f"weights must have one entry a target, but got {len(weights)} for {len(targets)}"
        )
    if len(targets) == 0:
        return logits.sum() * 0.0
    masked = logits.index_put((kept[:, 0], kept[:, 1]), logits.new_tensor(-torch.inf))
    log_probability = masked.log_softmax(dim=1)[targets[:, 0], targets[:, 1]]
    total = weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    return -(weights * log_probability).sum() / total
