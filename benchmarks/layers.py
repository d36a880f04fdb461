"""How fast the layers are: forward and backward on active cells, beside torch's dense convolution.

`python -m benchmarks.layers [--rounds 7]`

Both sides compute the same numbers on the same grid (which is checked before anything is timed),
interleaved, float32; the figures are medians. Building the kernel map is timed cold, apart.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Annotated

import pandas as pd
import torch
import typer

from recsparse.cli.terminal import show_frame
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.sparse.coords import unravel_coords
from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel_map import submanifold_kernel_map
from recsparse.sparse.tensor import SparseTensor, sparse_tensor

KERNEL = 3


@dataclass(frozen=True)
class Case:
    """A grid to convolve.

    Attributes:
        rows: Size of the first axis.
        columns: Size of the second axis.
        cells: Active cells, spread evenly at random.
        channels: Channels of input and output.
    """

    rows: int
    columns: int
    cells: int
    channels: int

    def tensor(self) -> SparseTensor:
        """Return the case's cells with random features."""
        generator = torch.Generator().manual_seed(0)
        keys = torch.randperm(self.rows * self.columns, generator=generator)[: self.cells]
        coords = unravel_coords(keys, (self.rows, self.columns))
        feats = torch.randn(self.cells, self.channels, generator=generator)
        return sparse_tensor(coords, feats, (self.rows, self.columns), 1)


CASES = (
    Case(943, 1682, 100_000, 16),
    Case(943, 1682, 100_000, 32),
    Case(943, 1682, 10_000, 32),
    Case(943, 1682, 1_000, 32),
)


def run(
    rounds: Annotated[int, typer.Option(help="Timed repetitions.", min=1)] = 7,
) -> None:
    """Time every case and show the table."""
    typer.echo(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, kernel {KERNEL}×{KERNEL}"
    )
    show_frame("milliseconds, forward + backward", pd.DataFrame([_row(c, rounds) for c in CASES]))


def _row(case: Case, rounds: int) -> dict[str, object]:
    x = case.tensor()
    layer = SubmanifoldConv2d(case.channels, case.channels, KERNEL)
    sparse, dense = _sparse_step(x, layer), _dense_step(x, layer)
    torch.testing.assert_close(sparse(), dense(), rtol=1e-3, atol=1e-3)
    ours, theirs, cold = [], [], []
    for _ in range(rounds):
        ours.append(_milliseconds(sparse))
        theirs.append(_milliseconds(dense))
        cold.append(_milliseconds(lambda: _build_map(x.grid)))
    return {
        "cells": case.cells,
        "share": case.cells / (case.rows * case.columns),
        "channels": case.channels,
        "recsparse": median(ours),
        "dense torch": median(theirs),
        "dense ÷ recsparse": median(theirs) / median(ours),
        "kernel map, cold": median(cold),
    }


def _sparse_step(x: SparseTensor, layer: SubmanifoldConv2d) -> Callable[[], torch.Tensor]:
    feats = x.feats.clone().requires_grad_()

    def step() -> torch.Tensor:
        feats.grad = None
        layer(x.with_feats(feats)).feats.sum().backward()
        return _gradient(feats)

    return step


def _dense_step(x: SparseTensor, layer: SubmanifoldConv2d) -> Callable[[], torch.Tensor]:
    dense = x.to_dense().requires_grad_()
    sample, row, column = x.coords.T

    def step() -> torch.Tensor:
        dense.grad = None
        out = torch.nn.functional.conv2d(dense, layer.weight, layer.bias, padding=KERNEL // 2)
        out[sample, :, row, column].sum().backward()
        return _gradient(dense)[sample, :, row, column]

    return step


def _gradient(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.grad is None:
        raise RuntimeError("backward left no gradient")
    return tensor.grad


def _build_map(grid: Grid) -> None:
    submanifold_kernel_map(grid.coords, grid.spatial_shape, (KERNEL, KERNEL), (1, 1))


def _milliseconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    typer.run(run)
