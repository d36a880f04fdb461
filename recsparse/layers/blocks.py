"""Activations, dropout of cells, and blocks of layers."""

from typing import Any

import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.plain import apply_layer
from recsparse.sparse.tensor import SparseTensor


class SparseReLU(nn.Module):
    """`max(x, 0)` on the active cells; a cell stays active where the result is zero.

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> SparseReLU()(x).feats.tolist()
        [[0.0], [2.0]]
    """

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the function.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return x.with_feats(nn.functional.relu(x.feats))


class SparseGELU(nn.Module):
    """The Gaussian error linear unit on the active cells (Hendrycks and Gimpel 2016).

    `x P(X ≤ x)` for a standard normal X (https://arxiv.org/abs/1606.08415, section 2).

    Shapes:
        Input and output (n, c) on one grid.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0]]]))
        >>> f"{SparseGELU()(x).feats.item():.3f}"
        '0.841'
    """

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Apply the function.

        Args:
            x: Features (n, c).

        Returns:
            Features (n, c) on the same grid.
        """
        return x.with_feats(nn.functional.gelu(x.feats))


class CellDropout(nn.Module):
    """The tensor without some of its cells, in training; the rest keep their features unscaled.

    Each cell goes with probability p, with all of its channels. Dropout (Srivastava et al. 2014,
    https://jmlr.org/papers/v15/srivastava14a.html) sets single features to zero and scales the
    others; here the cell leaves the grid, as an interaction that is hidden to be predicted.

    Shapes:
        Input (n, c), output (m, c) on a grid of m ≤ n cells and the same axes.

    Args:
        p: The share of cells that go, at least 0 and below 1.
        generator: Source of randomness, on any device; None is torch's own.

    Raises:
        InputError: If `p` is out of range.

    Example:
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 1000))
        >>> kept, dropped = CellDropout(0.25, torch.Generator().manual_seed(0)).split(x)
        >>> kept.grid.num_cells + dropped.grid.num_cells, kept.feats.unique().tolist()
        (1000, [1.0])
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
    """What the last of some layers returns, applied in order; without layers, the input.

    `torch.nn.Sequential` for layers that take and return sparse tensors. torch's own layers of rows
    (activations, norms, `Linear`, `Dropout`) act on the features of the active cells, as does any
    module in `OnFeats`; behind a pooling that returns a dense tensor all layers take that one.

    Shapes:
        Input (n, c), output that of the last layer.

    Raises:
        InputTypeError: If one of torch's layers is of dense axes, as `torch.nn.Conv2d`.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> SparseSequential(nn.ReLU(), nn.Linear(1, 8), nn.BatchNorm1d(8))(x)
        SparseTensor(Grid(2 cells, spatial_shape=(3,), batch_size=1), 8 channels)
    """

    def forward(self, input: Any) -> Any:
        """Apply the layers in order.

        Args:
            input: Features (n, c).

        Returns:
            What the last layer returns.
        """
        for layer in self:
            input = apply_layer(layer, input)
        return input


class ResidualBlock(nn.Module):
    """`x + layers(x)` on one grid (He et al. 2016, https://arxiv.org/abs/1603.05027).

    Shapes:
        Input and output (n, c) on one grid.

    Args:
        *layers: Layers that keep the grid and, together, the number of channels.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[-1.0, 0.0, 2.0]]]))
        >>> ResidualBlock(SparseReLU())(x).feats.flatten().tolist()
        [-1.0, 4.0]
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
        if (
            not isinstance(change, SparseTensor)
            or change.grid is not x.grid
            or change.feats.shape != x.feats.shape
        ):
            raise InputError(
                "the layers of a ResidualBlock must keep grid and channels, but turned "
                f"{x!r} into {change!r}"
            )
        return x.with_feats(x.feats + change.feats)
