"""Losses of users' own: functions of the scores of wanted items and of all that compete."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recsparse.config.plugins import told_of
from recsparse.errors import InputError

_KEY = "model.loss"


class OwnLoss:
    """A function of a user's own, by which a network is trained.

    Args:
        name: `module:function`, of a module that this process was told of.

    Raises:
        ConfigError: If it is no function, or this process was not told of the module.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.function: Callable[..., Any] = told_of(name, _KEY)
        self._is_tried = False

    def __call__(
        self,
        scores: Float[Tensor, "rows k"],
        held: Bool[Tensor, "rows k"],
        wanted: Float[Tensor, " n"],
        row: Int[Tensor, " n"],
        weights: Float[Tensor, " n"],
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch.

        The function is called as `loss(wanted, others, row, weights)`, where `others` are the
        scores, −∞ where they do not compete. Without a wanted score it is not called: such a batch
        has no loss.

        Args:
            scores: Of all items, or of drawn ones, for each row.
            held: Which of them the row holds itself, so that they do not compete.
            wanted: The score of each item that is to be ranked first.
            row: The row of each of these.
            weights: Their positive weights.

        Returns:
            What the function returns.

        Raises:
            InputError: If the function fails, or returns anything else than one number; or if, in
                its first batch, that number or its gradient is not finite, or hangs on no score.
        """
        if len(wanted) == 0:
            return wanted.sum()
        # Under autocast they may be coarse.
        scores, wanted = scores.float(), wanted.float()
        others = scores.masked_fill(held, -torch.inf)
        try:
            loss = self.function(wanted, others, row, weights)
        except Exception as error:
            raise InputError(
                f"the loss {self.name} must take wanted, others, row and weights, here of "
                f"{_sizes(wanted, others, row, weights)}, but raised {type(error).__name__}: "
                f"{error}; mend the function"
            ) from error
        if not isinstance(loss, Tensor) or loss.dim() or not loss.is_floating_point():
            found = f"a tensor of {_sizes(loss)}" if isinstance(loss, Tensor) else repr(loss)
            raise InputError(
                f"the loss {self.name} must return one number, a tensor without axes, but returned "
                f"{found}; end it with .mean() or .sum()"
            )
        if not self._is_tried:
            self._check_gradient(loss, wanted, scores)
            self._is_tried = True
        return loss

    def _check_gradient(self, loss: Tensor, wanted: Tensor, scores: Tensor) -> None:
        # A network whose parameters are NaN fails a step later, far from the cause.
        if not loss.requires_grad:
            raise InputError(
                f"the loss {self.name} must depend on wanted or others, but has no gradient; "
                "compute it from them by functions of torch alone"
            )
        gradients = torch.autograd.grad(
            loss, [wanted, scores], retain_graph=True, materialize_grads=True
        )
        if not all(each.isfinite().all() for each in (loss, *gradients)):
            raise InputError(
                f"the loss {self.name} and its gradient must be finite, but in the first batch the "
                f"loss is {loss.item()} and the gradient is "
                f"{'finite' if all(g.isfinite().all() for g in gradients) else 'not finite'}; "
                "others is -inf where an item does not compete: let those have no part in sums"
            )


def own_loss(name: str) -> OwnLoss | None:
    """Return the loss of a user's own that a configuration names.

    Args:
        name: Of the loss.

    Returns:
        The function; None where the name is that of a loss of ours.

    Raises:
        ConfigError: If it is no function, or this process was not told of the module.
    """
    return OwnLoss(name) if ":" in name else None


def _sizes(*tensors: Tensor) -> str:
    return ", ".join(" × ".join(map(str, each.shape)) or "no axes" for each in tensors)
