"""SparseUNet: down to coarser grids and back up onto the input's own cells."""

from collections.abc import Sequence
from typing import SupportsIndex

import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.activation import SparseReLU
from recsparse.layers.any_axes import inverse_conv, strided_conv, submanifold_conv
from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.residual import Norm, SparseBasicBlock, three_taps
from recsparse.layers.sequential import SparseSequential
from recsparse.sparse.kernel import whole_number
from recsparse.sparse.tensor import SparseTensor


class SparseUNet(nn.Module):
    """A U-Net whose output lies on the input's own cells (Graham et al. 2018, section 4).

    At each level residual blocks of submanifold convolutions; a strided convolution leads down to a
    grid of half the size, an inverse convolution back up onto the remembered finer grid, where its
    channels and those from before are concatenated and convolved (https://arxiv.org/abs/1711.10275;
    Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597). A last linear map of each cell gives
    the output's channels. Axes of any length do: they are halved as if rounded up to an even size.

    Shapes:
        Input (n, in_channels), output (n, out_channels) on the same grid.

    Args:
        num_axes: Number of axes, from 1 to 4.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        widths: Channels of each level, the finest first; their number is the depth.
        blocks: Number of residual blocks on each side of a level.
        norm: Makes the normalisation of a number of channels.

    Raises:
        InputError: If there is no layer of that many axes, no level or no block, or a size is not
            positive.

    Example:
        >>> import torch
        >>> net = SparseUNet(2, in_channels=1, out_channels=5, widths=(4, 8, 16))
        >>> x = SparseTensor.from_dense(torch.eye(7).reshape(1, 1, 7, 7))
        >>> net(x)
        SparseTensor(Grid(7 cells, spatial_shape=(7, 7), batch_size=1), 5 channels)
    """

    def __init__(
        self,
        num_axes: SupportsIndex,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        widths: Sequence[SupportsIndex] = (32, 64, 128, 256),
        blocks: SupportsIndex = 1,
        norm: Norm = SparseBatchNorm,
    ) -> None:
        super().__init__()
        num_axes = whole_number("num_axes", num_axes)
        levels = [whole_number("widths", width) for width in widths]
        blocks = whole_number("blocks", blocks)
        if not levels or blocks < 1:
            raise InputError(
                f"widths and blocks must name at least one level and block, but got {widths} and "
                f"{blocks}"
            )
        self.num_halvings = len(levels) - 1
        self.stem = SparseSequential(
            three_taps(num_axes, in_channels, levels[0]), norm(levels[0]), SparseReLU()
        )
        self.level = _Level(num_axes, levels, blocks, norm)
        self.head = submanifold_conv(num_axes, levels[0], out_channels, 1)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Return features for each active cell.

        Args:
            x: Features (n, in_channels).

        Returns:
            Features (n, out_channels) on the same grid.
        """
        # Halving drops the last cell of an odd axis, and all of an axis of one.
        even = x.grid.rounded_up(1 << self.num_halvings)
        out = self.head(self.level(self.stem(SparseTensor(even, x.feats))))
        return x.with_feats(out.feats)


class _Level(nn.Module):
    """One level, and within it all coarser ones."""

    def __init__(self, num_axes: int, widths: Sequence[int], blocks: int, norm: Norm) -> None:
        super().__init__()
        width, *coarser = widths
        self.before = _blocks(num_axes, width, width, blocks, norm)
        self.coarser: nn.Module | None = None
        if coarser:
            self.down = SparseSequential(
                strided_conv(num_axes, width, coarser[0], 2, 2, bias=False),
                norm(coarser[0]),
                SparseReLU(),
            )
            self.coarser = _Level(num_axes, coarser, blocks, norm)
            self.up = inverse_conv(num_axes, coarser[0], width, 2, 2, bias=False)
            self.up_norm = SparseSequential(norm(width), SparseReLU())
            self.after = _blocks(num_axes, 2 * width, width, blocks, norm)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Return features of the level's own width.

        Args:
            x: Features (n, width).

        Returns:
            Features (n, width) on the same grid.
        """
        x = self.before(x)
        if self.coarser is None:
            return x
        up = self.up_norm(self.up(self.coarser(self.down(x)), like=x))
        return self.after(x.with_feats(torch.cat([x.feats, up.feats], dim=1)))


def _blocks(
    num_axes: int, in_channels: int, width: int, number: int, norm: Norm
) -> SparseSequential:
    channels = [in_channels, *[width] * (number - 1)]
    return SparseSequential(
        *(SparseBasicBlock(num_axes, into, width, norm=norm) for into in channels)
    )
