"""Warm start: a model takes over what a fitted one has learned, though items have come or gone."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.models.protocol.fitted_model import FittedModel


@dataclass(frozen=True, eq=False)
class WarmStart:
    """A fitted model to continue from.

    Attributes:
        model: The model, of the kind that is fitted.
        items: int64, where each of its items is in the new catalogue; -1 where it is not.
    """

    model: FittedModel
    items: np.ndarray


def take_over(network: nn.Module, warm_start: WarmStart | None, per_item: Collection[str]) -> None:
    """Give a new network the parameters of a fitted one.

    Args:
        network: A network with its starting values, which items keep that the fitted one lacks.
        warm_start: The fitted model, whose `state` names its network's parameters as the new one
            does; None changes nothing.
        per_item: Names of the parameters that have one row per item.

    Raises:
        InputError: If the networks have different sizes.
    """
    if warm_start is None:
        return
    known = {
        name.removeprefix("network."): value for name, value in warm_start.model.state().items()
    }
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            old = known.get(name, torch.empty(0))
            if name in per_item:
                old = rows_of_items(old, warm_start, parameter)
            _check_sizes(old.shape, parameter.shape, name)
            parameter.copy_(old)


def rows_of_items(
    old: Float[Tensor, "old ..."], warm_start: WarmStart, fresh: Float[Tensor, "m ..."]
) -> Float[Tensor, "m ..."]:
    """Lay rows of the fitted model's items out in the order of the new ones.

    Args:
        old: One row per item of the fitted model.
        warm_start: Where each of those items is now.
        fresh: Rows that items keep which the fitted model does not know.

    Returns:
        One row per item.

    Raises:
        InputError: If their rows have different sizes.
    """
    _check_sizes(old.shape[1:], fresh.shape[1:], "vector of an item")
    still_there = np.flatnonzero(warm_start.items >= 0)
    rows = fresh.detach().clone()
    rows[torch.from_numpy(warm_start.items[still_there])] = old[torch.from_numpy(still_there)]
    return rows


def _check_sizes(old: torch.Size, new: torch.Size, name: str) -> None:
    if old != new:
        raise InputError(
            f"a model continues from one of its own sizes, but its {name} is of {tuple(new)} and "
            f"that of the fitted one of {tuple(old)}; keep the section model, or fit anew"
        )
