"""Convolutions onto other cells: those that see an active cell, or given ones."""

from typing import ClassVar

from torch import Tensor

from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel import Kernel, OneOrMany
from recsparse.sparse.tensor import SparseTensor


class _SparseConv(BaseConv):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(  # noqa: PLR0913 (torch's own signature)
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: OneOrMany,
        stride: OneOrMany = 1,
        padding: OneOrMany = 0,
        dilation: OneOrMany = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        kernel = Kernel.of(self.num_axes, kernel_size, stride, padding, dilation)
        super().__init__(in_channels, out_channels, kernel, groups, bias)

    def forward(self, x: SparseTensor, cells: Grid | None = None) -> SparseTensor:
        """Convolve onto every cell whose window holds an active cell, or onto given cells.

        Args:
            x: Features (n, in_channels) on a grid with as many axes as the layer.
            cells: The output cells, any of the output's shape, as candidates to be scored; a cell
                whose window holds no active cell gets the bias.

        Returns:
            Features (m, out_channels) on the output cells.
        """
        self.check_input(x)
        out = x.grid.conv_grid(self.kernel) if cells is None else cells
        kernel_map = x.grid.map_onto(out, self.kernel)
        feats: Tensor = sparse_conv(x.feats, self.weight, self.bias, kernel_map, self.groups)
        return SparseTensor(out, feats)


class SparseConv1d(_SparseConv):
    """Convolution over one axis whose output cells are those that see an active cell.

    At those cells the output equals `torch.nn.functional.conv1d` of the dense tensor with the same
    settings (Graham 2014, https://arxiv.org/abs/1409.6070); elsewhere it is empty, where the dense
    output would be the bias.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: One number, or one an axis.
        stride: Distance of the windows of neighbouring outputs.
        padding: Reach of the first window out of the grid.
        dilation: Distance between taps.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the output cells.
    """

    num_axes = 1


class SparseConv2d(_SparseConv):
    """Convolution over two axes onto the cells that see an active cell, as `SparseConv1d`."""

    num_axes = 2


class SparseConv3d(_SparseConv):
    """Convolution over three axes onto the cells that see an active cell, as `SparseConv1d`."""

    num_axes = 3


class SparseConv4d(_SparseConv):
    """Convolution over four axes onto the cells that see an active cell, as `SparseConv1d`."""

    num_axes = 4
