"""Convolutions onto other cells: those that see an active cell, or given ones."""

from typing import ClassVar, SupportsIndex

from torch import Tensor

from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.grid import Grid
from recsparse.sparse.kernel import Kernel, OneOrMany
from recsparse.sparse.tensor import SparseTensor


class _SparseConv(BaseConv):
    """The layer in any number of axes; the public classes fix it."""

    pads = True
    num_axes: ClassVar[int]

    def __init__(  # noqa: PLR0913 (torch's own signature)
        self,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        kernel_size: OneOrMany,
        stride: OneOrMany = 1,
        padding: OneOrMany = 0,
        dilation: OneOrMany = 1,
        groups: SupportsIndex = 1,
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
    """Convolution over one axis onto the cells that see an active cell, or onto given cells.

    `out[o] = sum over taps t: W_t x[stride o − padding + dilation t] + b`, over the active cells of
    `x` (Graham 2014, https://arxiv.org/abs/1409.6070). At the output cells it equals
    `torch.nn.functional.conv1d` of the dense tensor with the same settings; elsewhere it is empty,
    where the dense output would be the bias.

    Shapes:
        Input (n, in_channels), output (m, out_channels) on a grid of axes
        `floor((size + 2 padding − dilation (kernel_size − 1) − 1) / stride) + 1`; weight
        (out_channels, in_channels / groups, *kernel_size), as torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: One number, or one per axis.
        stride: Distance of the windows of neighbouring outputs.
        padding: Reach of the first window out of the grid.
        dilation: Distance between taps.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the output cells.

    Raises:
        InputError: If a setting is too small, or the channels are not multiples of the groups.

    Example:
        >>> import torch
        >>> sum_of_three = SparseConv1d(1, 1, kernel_size=3, padding=1, bias=False)
        >>> _ = torch.nn.init.ones_(sum_of_three.weight)
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0, 0.0, 0.0]]]))
        >>> sum_of_three(x).feats.flatten().tolist()  # the last cell sees nothing
        [1.0, 3.0, 2.0, 2.0]
        >>> from recsparse.sparse.sets import grid_of
        >>> candidates = grid_of(torch.tensor([[0, 1], [0, 4]]), (5,), batch_size=1)
        >>> sum_of_three(x, cells=candidates).feats.flatten().tolist()
        [3.0, 0.0]
    """

    num_axes = 1


class SparseConv2d(_SparseConv):
    """Convolution over two axes onto the cells that see an active cell, as `SparseConv1d`.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.eye(4)[None, None])
        >>> SparseConv2d(1, 8, kernel_size=2, stride=2)(x)
        SparseTensor(Grid(2 cells, spatial_shape=(2, 2), batch_size=1), 8 channels)
    """

    num_axes = 2


class SparseConv3d(_SparseConv):
    """Convolution over three axes onto the cells that see an active cell, as `SparseConv1d`.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 4, 4, 4))
        >>> SparseConv3d(1, 8, kernel_size=3, stride=2, padding=1)(x).spatial_shape
        (2, 2, 2)
    """

    num_axes = 3


class SparseConv4d(_SparseConv):
    """Convolution over four axes onto the cells that see an active cell, as `SparseConv1d`.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SparseConv4d(1, 8, kernel_size=2)(x).feats.shape
        torch.Size([1, 8])
    """

    num_axes = 4
