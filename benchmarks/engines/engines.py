"""The package's own engine, and torch without any engine."""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from benchmarks.engines.limits import BlasLimit, TorchLimit
from benchmarks.engines.problem import Engine, Problem
from recsparse.layers.conv import SubmanifoldConv1d, SubmanifoldConv2d, SubmanifoldConv3d
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor, sparse_tensor

LAYERS = {1: SubmanifoldConv1d, 2: SubmanifoldConv2d, 3: SubmanifoldConv3d}
Taps = list[tuple[Tensor, Tensor]]


class Recsparse(Engine):
    """This package, through its public layers."""

    def __init__(self, problem: Problem) -> None:
        layer = LAYERS[len(problem.shape)](problem.channels, problem.channels, 3, bias=False)
        self.layer = layer.to(problem.feats.dtype)
        with torch.no_grad():
            self.layer.weight.copy_(problem.torch_weight())
        super().__init__(problem, problem.feats, self.layer.weight, problem.grad_out)
        self.weight = self.layer.weight
        self.grid = self._new_grid()

    def _new_grid(self) -> Grid:
        return Grid(self.problem.coords, self.problem.shape, 1)

    def build_map(self) -> None:
        """Build the map of a grid that has none."""
        self._new_grid().submanifold_map(self.layer.kernel_size, self.layer.dilation)

    def unsorted_map(self) -> Callable[[], None]:
        """Return what sorts and checks cells in random order, and then builds the map."""
        generator = torch.Generator().manual_seed(0)
        coords = self.problem.coords[torch.randperm(len(self.problem.coords), generator=generator)]
        feats = torch.ones(len(coords), 1)

        def build() -> None:
            x = sparse_tensor(coords, feats, self.problem.shape, 1)
            x.grid.submanifold_map(self.layer.kernel_size, self.layer.dilation)

        return build

    def forward(self) -> Tensor:
        """Return the output."""
        out: Tensor = self.layer(SparseTensor(self.grid, self.feats)).feats
        return out

    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients."""
        out, grad_feats, grad_weight = self.gradients()
        return out, grad_feats, grad_weight.flatten(2).permute(2, 1, 0)


class IndexAdd(Engine):
    """Plain torch: a look-up by binary search, then gather, multiply and index_add tap by tap."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, problem.feats, problem.weight, problem.grad_out)
        self.taps: Taps | None = None

    def build_map(self) -> None:
        """Look up half of the taps; the others are the same pairs the other way round."""
        self._find_taps()

    def _find_taps(self) -> Taps:
        # A border of one empty cell keeps the neighbours of an edge apart from the next row.
        padded = [size + 2 for size in self.problem.shape]
        steps = [int(torch.tensor(padded[axis + 1 :]).prod()) for axis in range(len(padded))]
        keys = ((self.problem.coords[:, 1:] + 1) * torch.tensor(steps)).sum(1)
        half: Taps = []
        for offset in list(product((-1, 0, 1), repeat=len(steps)))[: 3 ** len(steps) // 2]:
            wanted = keys + sum(o * s for o, s in zip(offset, steps, strict=True))
            found = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
            out = (keys[found] == wanted).nonzero().flatten()
            half.append((found[out], out))
        everything = torch.arange(len(keys))
        return [*half, (everything, everything), *((o, i) for i, o in reversed(half))]

    def forward(self) -> Tensor:
        """Return the output."""
        if self.taps is None:
            self.taps = self._find_taps()
        out: Tensor = _IndexAddConv.apply(self.feats, self.weight, self.taps)  # type: ignore[no-untyped-call]
        return out

    def results(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return output and gradients."""
        return self.gradients()


class _IndexAddConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feats: Tensor, weight: Tensor, taps: Taps) -> Tensor:
        ctx.save_for_backward(feats, weight)
        ctx.taps = taps
        centre = len(taps) // 2
        out = feats @ weight[centre]
        for tap, (i, o) in enumerate(taps):
            if tap != centre:
                out.index_add_(0, o, feats.index_select(0, i) @ weight[tap])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, Tensor, None]:
        feats, weight = ctx.saved_tensors
        centre = len(ctx.taps) // 2
        grad_feats = grad_out @ weight[centre].T
        grad_weight = torch.empty_like(weight)
        torch.mm(feats.T, grad_out, out=grad_weight[centre])
        for tap, (i, o) in enumerate(ctx.taps):
            if tap != centre:
                rows = grad_out.index_select(0, o)
                torch.mm(feats.index_select(0, i).T, rows, out=grad_weight[tap])
                grad_feats.index_add_(0, i, rows @ weight[tap].T)
        return grad_feats, grad_weight, None


ENGINES: dict[str, Callable[[Problem], Engine]] = {
    "recsparse": Recsparse,
    "index_add": IndexAdd,
    "limit": TorchLimit,
    "blas_limit": BlasLimit,
}
