"""Activations, dropout of cells, and blocks of layers."""

import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.sparse.tensor import SparseTensor


class SparseReLU(nn.Module):
    """`max(x, 0)` on the active cells; a cell stays active where the result is zero."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the function.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return x.with_feats(nn.functional.relu(x.feats))


class SparseGELU(nn.Module):
    """The Gaussian error linear unit on the active cells."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the function.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return x.with_feats(nn.functional.gelu(x.feats))


class CellDropout(nn.Module):
    """Takes whole cells out of the grid in training; the rest keep their features unscaled.

    Args:
        p: The share of cells that go, at least 0 and below 1.
        generator: Source of randomness, on any device; None is torch's own.

    Raises:
        InputError: If `p` is out of range.
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise InputError(f"p must be at least 0 and below 1, but got {p}")
        self.p = p
        self.generator = generator

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Drop cells.

        Args:
            x: Features (n, c).

        Returns:
            A tensor on a smaller grid in training; `x` itself in evaluation.
        """
        if not self.training or self.p == 0:
            return x
        kept, _ = self.split(x)
        return kept

    def split(self, x: SparseTensor) -> tuple[SparseTensor, SparseTensor]:
        """Part the cells at random, for losses on the dropped ones.

        Args:
            x: Features (n, c).

        Returns:
            The kept and the dropped cells, each on a grid of its own.
        """
        device = x.feats.device if self.generator is None else self.generator.device
        drawn = torch.rand(x.feats.shape[0], generator=self.generator, device=device)
        dropped = (drawn < self.p).to(x.feats.device)
        return x.select(~dropped), x.select(dropped)


class SparseSequential(nn.Sequential):
    """`torch.nn.Sequential` of layers that take and return sparse tensors; none is the identity."""

    def forward(self, input: SparseTensor) -> SparseTensor:
        """Apply the layers in order.

        Args:
            input: Features (n, c).

        Returns:
            What the last layer returns.
        """
        for layer in self:
            input = layer(input)
        return input


class ResidualBlock(nn.Module):
    """`x + layers(x)` on one grid (He et al. 2016, https://arxiv.org/abs/1603.05027).

    Args:
        *layers: Layers that keep the grid and, together, the number of channels.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = SparseSequential(*layers)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Add what the layers make of the input to it.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.

        Raises:
            InputError: If the layers changed the grid or the number of channels.
        """
        change = self.layers(x)
        if change.grid is not x.grid or change.feats.shape != x.feats.shape:
            raise InputError(
                "the layers of a ResidualBlock must keep grid and channels, but turned "
                f"{x!r} into {change!r}"
            )
        return x.with_feats(x.feats + change.feats)
