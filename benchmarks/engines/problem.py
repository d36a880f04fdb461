"""What every engine is given, the same numbers for each, and what it must be able to do."""

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Problem:
    """A submanifold convolution with kernel 3 on each axis, and the gradient that comes back to it.

    Attributes:
        coords: Sample and cell, (n, 1 + axes), sorted.
        shape: Size of each axis.
        feats: Features of the input, (n, channels).
        weight: (taps, channels in, channels out), taps in row-major order.
        grad_out: Gradient of the output, (n, channels).
        pairs: Pairs of cells under all taps.
    """

    coords: Tensor
    shape: tuple[int, ...]
    feats: Tensor
    weight: Tensor
    grad_out: Tensor
    pairs: int

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the kernel on each axis."""
        return (3,) * len(self.shape)

    @property
    def channels(self) -> int:
        """Channels of input and output."""
        return self.feats.shape[1]

    def torch_weight(self) -> Tensor:
        """Return the weight as torch lays it out, (channels out, channels in, *kernel)."""
        return self.weight.permute(2, 1, 0).unflatten(2, self.kernel).contiguous()


class Engine(ABC):
    """A sparse convolution with kernel 3 on each axis.

    Args:
        problem: What it is given.
        feats: The features as the engine takes them.
        weight: The weight likewise.
        grad_out: The gradient of the output likewise.
    """

    builds_map: ClassVar[bool] = True

    def __init__(self, problem: Problem, feats: Tensor, weight: Tensor, grad_out: Tensor) -> None:
        self.problem = problem
        self.feats = feats.detach().requires_grad_()
        self.weight = weight.detach().requires_grad_()
        self.grad_out = grad_out
        self.out: Tensor | None = None

    @abstractmethod
    def build_map(self) -> None:
        """Find the pairs of cells as if for the first time."""

    @abstractmethod
    def forward(self) -> Tensor:
        """Return the output; the map is built at the first call and kept."""

    @abstractmethod
    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients of a step, laid out as the problem is."""

    def step(self) -> None:
        """Run forward and backward."""
        self.out = self.feats.grad = self.weight.grad = None
        self.out = self.forward()
        self.out.backward(self.grad_out)

    def unsorted_map(self) -> Callable[[], None] | None:
        """Return what builds the map of cells in any order, None if order makes no difference."""
        return None

    def gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients of the last step, laid out as the engine's own tensors are.

        Returns:
            Output, gradient of feats, gradient of the weight.

        Raises:
            RuntimeError: If there was no step, or a gradient did not arrive.
        """
        out, grad_feats, grad_weight = self.out, self.feats.grad, self.weight.grad
        if out is None or grad_feats is None or grad_weight is None:
            raise RuntimeError("a step must leave an output and two gradients")
        return out.detach(), grad_feats, grad_weight


def draw_problem(
    coords: NDArray[np.int64], shape: tuple[int, ...], channels: int, pairs: int, dtype: str
) -> Problem:
    """Return a problem whose numbers depend on the sizes alone.

    Args:
        coords: Sample and cell.
        shape: Size of each axis.
        channels: Channels of input and output.
        pairs: Pairs of cells under all taps.
        dtype: torch's name of the type of all numbers.

    Returns:
        The problem.
    """
    generator = np.random.default_rng(0)

    def normal(*size: int) -> Tensor:
        numbers = generator.standard_normal(size, dtype=np.float32)
        return torch.from_numpy(numbers).to(getattr(torch, dtype))

    taps = 3 ** len(shape)
    return Problem(
        torch.from_numpy(coords),
        shape,
        normal(len(coords), channels),
        normal(taps, channels, channels) / (taps * channels) ** 0.5,
        normal(len(coords), channels),
        pairs,
    )


def milliseconds(action: Callable[[], None], seconds: float) -> list[float]:
    """Return how long an action takes, repeated until that much time has passed, at least once.

    Args:
        action: What to time.
        seconds: For how long.

    Returns:
        Milliseconds of each repetition.
    """
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        started = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - started))
    return times


def peak_growth(action: Callable[[], None]) -> float:
    """Return by how much the process's resident memory grows at most while an action runs.

    Args:
        action: What to watch.

    Returns:
        Megabytes (10^6 bytes); NaN where Linux's /proc is missing.
    """
    gc.collect()
    if not STATUS.exists():
        action()
        return float("nan")
    before = _status_bytes("VmRSS")
    # Writing 5 sets the peak back to what is resident now (man 5 proc, clear_refs).
    Path("/proc/self/clear_refs").write_text("5")
    action()
    return (_status_bytes("VmHWM") - before) / 1e6


def resident_peak() -> float:
    """Return the largest resident memory since the last reset, in megabytes; NaN without /proc."""
    return _status_bytes("VmHWM") / 1e6 if STATUS.exists() else float("nan")


def _status_bytes(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])
