"""What a submanifold convolution must give: float64 numpy that shares no code with an engine."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.engines.cases import Coords

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Which input cell meets which output cell, tap by tap in row-major order.

    Attributes:
        taps: Input cells and output cells of each tap.
    """

    taps: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]

    @property
    def number(self) -> int:
        """Pairs under all taps."""
        return sum(len(out) for _, out in self.taps)


@dataclass(frozen=True)
class Results:
    """What an engine computed: all of the weight's gradient, and some rows of the two others.

    Attributes:
        out: Features of the output.
        grad_feats: Gradient of the input.
        grad_weight: Gradient of the weight, (taps, channels in, channels out).
    """

    out: Array
    grad_feats: Array
    grad_weight: Array

    def error(self, expected: "Results") -> float:
        """Return the largest error, in units of the largest value of the array that holds it.

        Args:
            expected: The right results.

        Returns:
            A number that is about the rounding error of the type if all is right.
        """
        return max(
            float(np.abs(found - right).max() / np.abs(right).max())
            for found, right in (
                (self.out, expected.out),
                (self.grad_feats, expected.grad_feats),
                (self.grad_weight, expected.grad_weight),
            )
        )


def find_pairs(coords: Coords, shape: tuple[int, ...]) -> Pairs:
    """Return the pairs of a kernel of 3 on each axis.

    Args:
        coords: Sample and cell, sorted.
        shape: Size of each axis.

    Returns:
        The pairs; each cell is looked up in the sorted keys of a grid with a border of one cell.
    """
    padded = tuple(size + 2 for size in shape)
    steps = np.array([int(np.prod(padded[axis + 1 :])) for axis in range(len(padded))])
    keys = (coords[:, 1:] + 1) @ steps
    taps = []
    for offset in itertools.product((-1, 0, 1), repeat=len(shape)):
        wanted = keys + np.array(offset) @ steps
        found = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        out = np.flatnonzero(keys[found] == wanted)
        taps.append((found[out], out))
    return Pairs(tuple(taps))


def expected_results(
    pairs: Pairs, feats: Array, weight: Array, grad_out: Array, rows: NDArray[np.int64]
) -> Results:
    """Return output and gradients of the convolution.

    Args:
        pairs: Its pairs.
        feats: Features of the input.
        weight: (taps, channels in, channels out).
        grad_out: Gradient of the output.
        rows: The rows wanted of output and input gradient, rising.

    Returns:
        The results in float64.
    """
    out, grad_feats = np.zeros((2, *feats.shape))
    grad_weight = np.zeros(weight.shape)
    wanted = np.zeros(len(feats), bool)
    wanted[rows] = True
    for tap, (in_index, out_index) in enumerate(pairs.taps):
        for start in range(
            0, len(in_index), 100_000
        ):  # float64 copies of all rows would take memory
            part = slice(start, start + 100_000)
            i, o = in_index[part], out_index[part]
            grad_weight[tap] += feats[i].astype(np.float64).T @ grad_out[o].astype(np.float64)
            to_out, to_feats = wanted[o], wanted[i]
            out[o[to_out]] += feats[i[to_out]] @ weight[tap].astype(np.float64)
            grad_feats[i[to_feats]] += grad_out[o[to_feats]] @ weight[tap].T.astype(np.float64)
    return Results(out[rows], grad_feats[rows], grad_weight)
