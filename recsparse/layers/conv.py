"""Submanifold convolution layers: outputs on the input's own cells, nothing fills in."""

from typing import ClassVar

from torch import Tensor

from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.kernel import Kernel, OneOrMany, one_an_axis
from recsparse.sparse.tensor import SparseTensor


class _SubmanifoldConv(BaseConv):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: OneOrMany,
        dilation: OneOrMany = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        size = one_an_axis("kernel_size", kernel_size, self.num_axes)
        step = one_an_axis("dilation", dilation, self.num_axes)
        super().__init__(in_channels, out_channels, Kernel.centred(size, step), groups, bias)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve the active cells.

        Args:
            x: Features (n, in_channels) on a grid with as many axes as the layer.

        Returns:
            Features (n, out_channels) on the same grid.
        """
        self.check_input(x)
        kernel_map = x.grid.submanifold_map(self.kernel.size, self.kernel.dilation)
        out: Tensor = sparse_conv(x.feats, self.weight, self.bias, kernel_map, self.groups)
        return x.with_feats(out)


class SubmanifoldConv1d(_SubmanifoldConv):
    """Submanifold convolution over one axis (Graham et al. 2018, arXiv 1711.10275, section 3.1).

    On every active cell the output equals `torch.nn.functional.conv1d` of the dense tensor with
    padding `dilation (kernel_size - 1) / 2`; other cells stay empty.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd; one number, or one an axis.
        dilation: Distance between taps; one number, or one an axis.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the active cells.
    """

    num_axes = 1


class SubmanifoldConv2d(_SubmanifoldConv):
    """Submanifold convolution over two axes, as `SubmanifoldConv1d` over one."""

    num_axes = 2


class SubmanifoldConv3d(_SubmanifoldConv):
    """Submanifold convolution over three axes, as `SubmanifoldConv1d` over one."""

    num_axes = 3


class SubmanifoldConv4d(_SubmanifoldConv):
    """Submanifold convolution over four axes, as `SubmanifoldConv1d` over one."""

    num_axes = 4
