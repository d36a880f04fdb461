"""Transposed convolutions: onto all cells that they reach, or back onto a remembered grid."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from recsparse.errors import InputError
from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.kernel import Kernel, OneOrMany, one_an_axis
from recsparse.sparse.kernel_map import KernelMap
from recsparse.sparse.tensor import SparseTensor


class _Transposed(BaseConv):
    """A convolution whose weight has the layout (in_channels, out_channels / groups, *size)."""

    transposed = True

    def spread(self, x: SparseTensor, kernel_map: KernelMap) -> Float[Tensor, "m c_out"]:
        """Return the features of the output cells of a kernel map.

        Args:
            x: Features (n, in_channels).
            kernel_map: From the cells of the input to those of the output.

        Returns:
            One row an output cell.
        """
        return sparse_conv(
            x.feats, self.weight, self.bias, kernel_map, self.groups, transposed=True
        )


class _SparseConvTranspose(_Transposed):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(  # noqa: PLR0913 (torch's own signature)
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: OneOrMany,
        stride: OneOrMany = 1,
        padding: OneOrMany = 0,
        output_padding: OneOrMany = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: OneOrMany = 1,
    ) -> None:
        kernel = Kernel.of(self.num_axes, kernel_size, stride, padding, dilation)
        super().__init__(in_channels, out_channels, kernel, groups, bias)
        self.output_padding = one_an_axis("output_padding", output_padding, self.num_axes)
        limits = [max(pair) for pair in zip(kernel.stride, kernel.dilation, strict=True)]
        if any(
            not 0 <= more < limit for more, limit in zip(self.output_padding, limits, strict=True)
        ):
            raise InputError(
                "output_padding must be at least 0 and below the stride or the dilation on each "
                f"axis, but got {self.output_padding} for {kernel}"
            )

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Spread every active cell over its window.

        Args:
            x: Features (n, in_channels) on a grid with as many axes as the layer.

        Returns:
            Features (m, out_channels) on all cells that an active cell reaches.
        """
        self.check_input(x)
        out = x.grid.conv_transpose_grid(self.kernel, self.output_padding)
        return SparseTensor(out, self.spread(x, x.grid.transposed_map_onto(out, self.kernel)))


class SparseConvTranspose1d(_SparseConvTranspose):
    """Transposed convolution over one axis, onto all cells that an active cell reaches.

    At those cells the output equals `torch.nn.functional.conv_transpose1d` of the dense tensor with
    the same settings (Zeiler et al. 2010, https://doi.org/10.1109/CVPR.2010.5539957); elsewhere it
    is empty, where the dense output would be the bias. The weight has the layout of torch's
    transposed convolutions, (in_channels, out_channels / groups, *kernel_size).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: One number, or one an axis.
        stride: Distance of the windows of neighbouring inputs.
        padding: Taken off on both sides of the output.
        output_padding: Added at the end of each axis of the output.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the output cells.
        dilation: Distance between taps.
    """

    num_axes = 1


class SparseConvTranspose2d(_SparseConvTranspose):
    """Transposed convolution over two axes, as `SparseConvTranspose1d` over one."""

    num_axes = 2


class SparseConvTranspose3d(_SparseConvTranspose):
    """Transposed convolution over three axes, as `SparseConvTranspose1d` over one."""

    num_axes = 3


class SparseConvTranspose4d(_SparseConvTranspose):
    """Transposed convolution over four axes, as `SparseConvTranspose1d` over one."""

    num_axes = 4


class _SparseInverseConv(_Transposed):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(  # noqa: PLR0913 (the settings of the convolution that it undoes)
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

    def forward(self, x: SparseTensor, like: SparseTensor) -> SparseTensor:
        """Return to the finer cells from which a convolution or pooling of this kernel came.

        Args:
            x: Features (n, in_channels) on the coarse grid.
            like: A tensor on the fine grid; its features are not read.

        Returns:
            Features (m, out_channels) on the grid of `like`; a cell that nothing reaches gets the
            bias.

        Raises:
            InputError: If `like` is no tensor that this kernel takes to the grid of `x`.
        """
        self.check_input(x)
        try:
            kernel_map = like.grid.map_onto(x.grid, self.kernel)
        except InputError as error:
            raise InputError(
                f"{self} needs as `like` the finer tensor from which its input came: {error}"
            ) from error
        return like.with_feats(self.spread(x, kernel_map.transpose()))


class SparseInverseConv1d(_SparseInverseConv):
    """Transposed convolution over one axis, onto the cells of a finer tensor (Graham et al. 2018).

    It undoes the change of grid of the `SparseConv1d` or pooling with the same kernel and equals
    `torch.nn.functional.conv_transpose1d` of the dense tensor at the cells of `like`
    (arXiv 1711.10275, section 3.2). The weight has the layout of torch's transposed convolutions.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: That of the layer undone; one number, or one an axis.
        stride: That of the layer undone.
        padding: That of the layer undone.
        dilation: That of the layer undone.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the output cells.
    """

    num_axes = 1


class SparseInverseConv2d(_SparseInverseConv):
    """Transposed convolution over two axes onto a finer grid, as `SparseInverseConv1d` over one."""

    num_axes = 2


class SparseInverseConv3d(_SparseInverseConv):
    """Transposed convolution over three axes onto a finer grid, as `SparseInverseConv1d`."""

    num_axes = 3


class SparseInverseConv4d(_SparseInverseConv):
    """Transposed convolution over four axes onto a finer grid, as `SparseInverseConv1d`."""

    num_axes = 4
