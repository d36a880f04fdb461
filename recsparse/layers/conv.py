"""Submanifold convolution layers: outputs on the input's own cells, nothing fills in."""

from typing import ClassVar, SupportsIndex

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
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        kernel_size: OneOrMany,
        dilation: OneOrMany = 1,
        groups: SupportsIndex = 1,
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
    """Submanifold convolution over one axis: outputs on the input's own cells, so nothing fills in.

    `out[i] = sum over taps t: W_t x[i + dilation (t − (kernel_size − 1) / 2)] + b`, over the active
    cells of `x` (Graham et al. 2018, https://arxiv.org/abs/1711.10275, section 3.1). On every
    active cell it equals `torch.nn.functional.conv1d` of the dense tensor with padding
    `dilation (kernel_size − 1) / 2`; other cells stay empty.

    Shapes:
        Input (n, in_channels), output (n, out_channels) on the same grid; weight
        (out_channels, in_channels / groups, *kernel_size), as torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd; one number, or one per axis.
        dilation: Distance between taps; one number, or one per axis.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the active cells.

    Raises:
        InputError: If a kernel size is even, a setting is below 1, or the channels are no multiples
            of the groups.

    Example:
        >>> import torch
        >>> sum_of_three = SubmanifoldConv1d(1, 1, kernel_size=3, bias=False)
        >>> _ = torch.nn.init.ones_(sum_of_three.weight)
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 2.0, 0.0, 0.0, 4.0]]]))
        >>> sum_of_three(x).to_dense().tolist()
        [[[3.0, 3.0, 0.0, 0.0, 4.0]]]
    """

    num_axes = 1


class SubmanifoldConv2d(_SubmanifoldConv):
    """Submanifold convolution over two axes, as `SubmanifoldConv1d` over one.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.eye(4)[None, None])
        >>> SubmanifoldConv2d(1, 8, kernel_size=(3, 5))(x)
        SparseTensor(Grid(4 cells, spatial_shape=(4, 4), batch_size=1), 8 channels)
    """

    num_axes = 2


class SubmanifoldConv3d(_SubmanifoldConv):
    """Submanifold convolution over three axes, as `SubmanifoldConv1d` over one.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 4, 2, 3, 2))
        >>> SubmanifoldConv3d(4, 8, kernel_size=3, groups=2)(x).to_dense().shape
        torch.Size([1, 8, 2, 3, 2])
    """

    num_axes = 3


class SubmanifoldConv4d(_SubmanifoldConv):
    """Submanifold convolution over four axes, as `SubmanifoldConv1d` over one.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> SubmanifoldConv4d(1, 8, kernel_size=3)(x).feats.shape
        torch.Size([16, 8])
    """

    num_axes = 4
