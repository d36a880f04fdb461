"""What an optimiser remembers, as named tensors, and how it gets that back."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from recsparse.errors import CheckpointError
from recsparse.training.checkpoint import damage
from recsparse.training.optimizer import JointOptimizer

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return what an optimiser remembers of each parameter.

    Args:
        optimizer: What `network_optimizer` returned.

    Returns:
        Tensors by part, place of the parameter, and name, as in `0/3/exp_avg`.
    """
    return {
        f"{number}/{place}/{name}": torch.as_tensor(value)
        for number, part in enumerate(_parts(optimizer))
        for place, state in part.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(
    path: Path,
    optimizer: Optimizer,
    tensors: Mapping[str, Tensor],
    rates: Sequence[float],
    steps: int,
) -> None:
    """Give an optimiser its memory back; nothing is used that does not fit its parameters.

    Args:
        path: The file that it is from, for errors.
        optimizer: As it is before the first step.
        tensors: What `optimizer_tensors` returned.
        rates: The learning rate of each group.
        steps: Steps done.

    Raises:
        CheckpointError: If a tensor is missing, unknown, not finite, or does not fit its parameter,
            or a rate is out of range.
    """
    peaks = [group["initial_lr"] for group in optimizer.param_groups]
    if len(rates) != len(peaks) or any(
        not 0 <= rate <= peak for rate, peak in zip(rates, peaks, strict=True)
    ):
        raise CheckpointError(
            damage(path, f"its learning rates are {[*rates]}, of at most {peaks}")
        )
    parts = _parts(optimizer)
    states = _checked_states(path, parts, tensors, steps)
    for part, state in zip(parts, states, strict=True):
        part.load_state_dict({**part.state_dict(), "state": state})
    if isinstance(optimizer, JointOptimizer):
        optimizer.share_groups()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _parts(optimizer: Optimizer) -> list[Optimizer]:
    return optimizer.parts if isinstance(optimizer, JointOptimizer) else [optimizer]


def _checked_states(
    path: Path, parts: Sequence[Optimizer], tensors: Mapping[str, Tensor], steps: int
) -> list[dict[int, dict[str, Any]]]:
    left = dict(tensors)
    states: list[dict[int, dict[str, Any]]] = []
    for number, part in enumerate(parts):
        states.append({})
        parameters = [each for group in part.param_groups for each in group["params"]]
        for place, parameter in enumerate(parameters):
            own = {name: left.pop(f"{number}/{place}/{name}", None) for name in _MOMENTS}
            if any(value is not None for value in own.values()):  # else it never had a gradient
                states[-1][place] = _checked_state(path, own, parameter, steps)
    if left:
        unknown = next(iter(left))
        raise CheckpointError(damage(path, f"its optimiser holds {unknown!r}, which is not known"))
    return states


def _checked_state(
    path: Path, state: Mapping[str, Tensor | None], parameter: Tensor, steps: int
) -> dict[str, Any]:
    step, mean, square = (state[name] for name in _MOMENTS)
    if step is None or mean is None or square is None:
        raise CheckpointError(damage(path, "its optimiser lacks a moment of a parameter"))
    if {mean.shape, square.shape} != {parameter.shape} or {mean.dtype, square.dtype} != {
        parameter.dtype
    }:
        raise CheckpointError(
            damage(path, "a moment of its optimiser is not of its parameter's shape and type")
        )
    if step.shape != () or step.dtype not in (torch.float32, torch.int64):
        raise CheckpointError(
            damage(path, "its optimiser counts steps by something else than a number")
        )
    if not 1 <= step.item() <= steps or step.item() != math.floor(step.item()):
        raise CheckpointError(damage(path, f"its optimiser is at step {step.item()} of {steps}"))
    if not (mean.isfinite().all() and square.isfinite().all() and (square >= 0).all()):
        raise CheckpointError(damage(path, "a moment of its optimiser is out of range"))
    # SparseAdam counts in plain integers.
    return {
        "step": step.item() if step.dtype == torch.int64 else step,
        "exp_avg": mean,
        "exp_avg_sq": square,
    }
