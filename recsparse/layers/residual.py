"""Residual blocks of convolutions: basic and bottleneck, on one grid or onto a coarser one."""

from collections.abc import Callable
from typing import ClassVar, SupportsIndex

from torch import nn

from recsparse.errors import InputError
from recsparse.layers.activation import SparseReLU
from recsparse.layers.any_axes import strided_conv, submanifold_conv
from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.plain import apply_layer
from recsparse.layers.sequential import SparseSequential
from recsparse.sparse.kernel import whole_number
from recsparse.sparse.tensor import SparseTensor

Norm = Callable[[int], nn.Module]


class _ConvBlock(nn.Module):
    """`relu(layers(x) + shortcut(x))`; the shortcut is the identity where nothing changes shape."""

    expansion: ClassVar[int]

    def __init__(
        self,
        num_axes: SupportsIndex,
        in_channels: SupportsIndex,
        width: SupportsIndex,
        stride: SupportsIndex = 1,
        norm: Norm = SparseBatchNorm,
    ) -> None:
        super().__init__()
        num_axes = whole_number("num_axes", num_axes)
        in_channels = whole_number("in_channels", in_channels)
        width, stride = whole_number("width", width), whole_number("stride", stride)
        self.out_channels = width * self.expansion
        self.layers = self.main_path(num_axes, in_channels, width, stride, norm)
        self.stride = stride
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != self.out_channels:
            self.shortcut = _one_tap(num_axes, in_channels, self.out_channels, stride)
            self.shortcut_norm = norm(self.out_channels)
        self.relu = SparseReLU()

    def main_path(
        self, num_axes: int, in_channels: int, width: int, stride: int, norm: Norm
    ) -> SparseSequential:
        """Return the layers that the shortcut goes around.

        Args:
            num_axes: Number of axes.
            in_channels: Channels of the input.
            width: Channels within.
            stride: Distance of the windows of neighbouring outputs.
            norm: Makes the normalisation of a number of channels.

        Returns:
            Layers to `out_channels` channels.
        """
        raise NotImplementedError

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Add what the layers make of the input to it, or to its projection.

        Args:
            x: Features (n, in_channels).

        Returns:
            Features (m, out_channels): on the same grid with stride 1, else on the cells whose
            window holds an active cell.
        """
        out = self.layers(x)
        kept = x
        if self.shortcut is not None:
            # The single tap of a stride would not reach all cells to which three taps lead.
            cells = {} if self.stride == 1 else {"cells": out.grid}
            kept = apply_layer(self.shortcut_norm, self.shortcut(x, **cells))
        return self.relu(out.with_feats(out.feats + kept.feats))


class SparseBasicBlock(_ConvBlock):
    """Two convolutions of three taps per axis and a shortcut (He et al. 2016, figure 2).

    `relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))`, Deep Residual Learning for Image
    Recognition, https://arxiv.org/abs/1512.03385, section 3. The shortcut is the identity, or where
    stride or channels change a projection by one tap (their option B) onto the cells that the
    convolutions lead to. The convolutions are submanifold ones; with a stride the first is a
    `SparseConv` with padding 1. On a grid without empty cells it equals a dense ResNet's block.

    Shapes:
        Input (n, in_channels), output (m, width): on the same grid with stride 1, else on that of a
        `SparseConv` of the stride.

    Args:
        num_axes: Number of axes, from 1 to 4.
        in_channels: Channels of the input.
        width: Channels of the output.
        stride: Distance of the windows of neighbouring outputs.
        norm: Makes the normalisation of a number of channels.

    Raises:
        InputError: If there is no layer of that many axes, or a size is not positive.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 8, 4, 4))
        >>> SparseBasicBlock(2, in_channels=8, width=16, stride=2)(x)
        SparseTensor(Grid(4 cells, spatial_shape=(2, 2), batch_size=1), 16 channels)
    """

    expansion = 1

    def main_path(
        self, num_axes: int, in_channels: int, width: int, stride: int, norm: Norm
    ) -> SparseSequential:
        """Return two convolutions of three taps per axis.

        Args:
            num_axes: Number of axes.
            in_channels: Channels of the input.
            width: Channels of the output.
            stride: Of the first convolution.
            norm: Makes the normalisation of a number of channels.

        Returns:
            The layers.
        """
        return SparseSequential(
            three_taps(num_axes, in_channels, width, stride),
            norm(width),
            SparseReLU(),
            three_taps(num_axes, width, width),
            norm(width),
        )


class SparseBottleneck(_ConvBlock):
    """A convolution of three taps per axis between two of one, and a shortcut (He et al. 2016).

    As `SparseBasicBlock`, but the channels are narrowed to the width, convolved and widened to four
    times the width (https://arxiv.org/abs/1512.03385, figure 5). The stride is that of the middle
    convolution, as in torchvision.

    Shapes:
        Input (n, in_channels), output (m, 4 width): on the same grid with stride 1, else on that of
        a `SparseConv` of the stride.

    Args:
        num_axes: Number of axes, from 1 to 4.
        in_channels: Channels of the input.
        width: Channels within; the output has four times as many.
        stride: Distance of the windows of neighbouring outputs.
        norm: Makes the normalisation of a number of channels.

    Raises:
        InputError: If there is no layer of that many axes, or a size is not positive.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 8, 4, 4))
        >>> SparseBottleneck(2, in_channels=8, width=4)(x).num_channels
        16
    """

    expansion = 4

    def main_path(
        self, num_axes: int, in_channels: int, width: int, stride: int, norm: Norm
    ) -> SparseSequential:
        """Return a convolution of three taps per axis between two of one.

        Args:
            num_axes: Number of axes.
            in_channels: Channels of the input.
            width: Channels within.
            stride: Of the middle convolution.
            norm: Makes the normalisation of a number of channels.

        Returns:
            The layers.
        """
        return SparseSequential(
            _one_tap(num_axes, in_channels, width),
            norm(width),
            SparseReLU(),
            three_taps(num_axes, width, width, stride),
            norm(width),
            SparseReLU(),
            _one_tap(num_axes, width, 4 * width),
            norm(4 * width),
        )


def three_taps(
    num_axes: int, in_channels: SupportsIndex, out_channels: int, stride: int = 1
) -> nn.Module:
    """Return a convolution of three taps per axis that keeps, or divides, the size of each axis.

    Args:
        num_axes: Number of axes.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: 1 for a submanifold convolution.

    Returns:
        The layer, without a bias, since a normalisation follows.
    """
    if stride == 1:
        return submanifold_conv(num_axes, in_channels, out_channels, 3, bias=False)
    return strided_conv(num_axes, in_channels, out_channels, 3, stride, padding=1, bias=False)


def _one_tap(num_axes: int, in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    if stride == 1:
        return submanifold_conv(num_axes, in_channels, out_channels, 1, bias=False)
    return strided_conv(num_axes, in_channels, out_channels, 1, stride, bias=False)


class ResidualBlock(nn.Module):
    """`x + layers(x)` on one grid (He et al. 2016, https://arxiv.org/abs/1603.05027).

    Shapes:
        Input and output (n, c) on one grid.

    Args:
        *layers: Layers that keep the grid and, together, the number of channels.

    Example:
        >>> import torch
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
