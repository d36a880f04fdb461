"""Transposed convolutions: onto all cells that they reach, or back onto a remembered grid."""

from typing import ClassVar, SupportsIndex

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

    pads = transposed = True

    def spread(self, x: SparseTensor, kernel_map: KernelMap) -> Float[Tensor, "m c_out"]:
        """Return the features of the output cells of a kernel map.

        Args:
            x: Features (n, in_channels).
            kernel_map: From the cells of the input to those of the output.

        Returns:
            One row per output cell.
        """
        return sparse_conv(
            x.feats, self.weight, self.bias, kernel_map, self.groups, transposed=True
        )


class _SparseConvTranspose(_Transposed):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(  # noqa: PLR0913 (torch's own signature)
        self,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        kernel_size: OneOrMany,
        stride: OneOrMany = 1,
        padding: OneOrMany = 0,
        output_padding: OneOrMany = 0,
        groups: SupportsIndex = 1,
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

    `out[o] = sum over taps t and cells i with stride i − padding + dilation t = o: W_t x[i] + b`
    (Zeiler et al. 2010, https://doi.org/10.1109/CVPR.2010.5539957). At the output cells it equals
    `torch.nn.functional.conv_transpose1d` of the dense tensor with the same settings; elsewhere it
    is empty, where the dense output would be the bias.

    Shapes:
        Input (n, in_channels), output (m, out_channels) on a grid of axes `(size − 1) stride −
        2 padding + dilation (kernel_size − 1) + output_padding + 1`; weight
        (in_channels, out_channels / groups, *kernel_size), as torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: One number, or one per axis.
        stride: Distance of the windows of neighbouring inputs.
        padding: Taken off on both sides of the output.
        output_padding: Added at the end of each axis of the output.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the output cells.
        dilation: Distance between taps.

    Raises:
        InputError: If a setting is out of range, or the channels are not multiples of the groups.

    Example:
        >>> import torch
        >>> double = SparseConvTranspose1d(1, 1, kernel_size=2, stride=2, bias=False)
        >>> _ = torch.nn.init.ones_(double.weight)
        >>> x = SparseTensor.from_dense(torch.tensor([[[5.0, 0.0, 7.0]]]))
        >>> double(x).to_dense().tolist()
        [[[5.0, 5.0, 0.0, 0.0, 7.0, 7.0]]]
    """

    num_axes = 1


class SparseConvTranspose2d(_SparseConvTranspose):
    """Transposed convolution over two axes, as `SparseConvTranspose1d` over one.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.eye(2)[None, None])
        >>> SparseConvTranspose2d(1, 8, kernel_size=2, stride=2)(x)
        SparseTensor(Grid(8 cells, spatial_shape=(4, 4), batch_size=1), 8 channels)
    """

    num_axes = 2


class SparseConvTranspose3d(_SparseConvTranspose):
    """Transposed convolution over three axes, as `SparseConvTranspose1d` over one.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2))
        >>> SparseConvTranspose3d(1, 8, kernel_size=3, stride=2, padding=1)(x).spatial_shape
        (3, 3, 3)
    """

    num_axes = 3


class SparseConvTranspose4d(_SparseConvTranspose):
    """Transposed convolution over four axes, as `SparseConvTranspose1d` over one.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 1, 1, 1, 1))
        >>> SparseConvTranspose4d(1, 8, kernel_size=2)(x).feats.shape
        torch.Size([16, 8])
    """

    num_axes = 4


class _SparseInverseConv(_Transposed):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(  # noqa: PLR0913 (the settings of the convolution that it undoes)
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

    `out[o] = sum over taps t and cells i with stride i − padding + dilation t = o: W_t x[i] + b` at
    the cells o of `like` alone, where it equals `torch.nn.functional.conv_transpose1d` of the dense
    tensor (https://arxiv.org/abs/1711.10275, section 3.2). It undoes the change of grid of the
    `SparseConv1d` or pooling with the same kernel, along the same kernel map.

    Shapes:
        Input (m, in_channels) on the coarse grid, output (n, out_channels) on the grid of `like`;
        weight (in_channels, out_channels / groups, *kernel_size), as torch's transposed ones.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: That of the layer undone; one number, or one per axis.
        stride: That of the layer undone.
        padding: That of the layer undone.
        dilation: That of the layer undone.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the output cells.

    Raises:
        InputError: If a setting is too small, or the channels are not multiples of the groups.

    Example:
        >>> import torch
        >>> from recsparse.layers.sum_pool import SparseSumPool1d
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 3.0, 4.0]]]))
        >>> back = SparseInverseConv1d(1, 1, kernel_size=2, stride=2, bias=False)
        >>> _ = torch.nn.init.ones_(back.weight)
        >>> back(SparseSumPool1d(2)(x), like=x).to_dense().tolist()
        [[[1.0, 0.0, 7.0, 7.0]]]
    """

    num_axes = 1


class SparseInverseConv2d(_SparseInverseConv):
    """Transposed convolution over two axes onto a finer grid, as `SparseInverseConv1d` over one.

    Example:
        >>> import torch
        >>> from recsparse.layers.strided import SparseConv2d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 4, 4))
        >>> coarse = SparseConv2d(1, 8, kernel_size=2, stride=2)(x)
        >>> SparseInverseConv2d(8, 1, kernel_size=2, stride=2)(coarse, like=x).grid is x.grid
        True
    """

    num_axes = 2


class SparseInverseConv3d(_SparseInverseConv):
    """Transposed convolution over three axes onto a finer grid, as `SparseInverseConv1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.strided import SparseConv3d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2))
        >>> coarse = SparseConv3d(1, 8, kernel_size=2, stride=2)(x)
        >>> SparseInverseConv3d(8, 1, kernel_size=2, stride=2)(coarse, like=x).grid is x.grid
        True
    """

    num_axes = 3


class SparseInverseConv4d(_SparseInverseConv):
    """Transposed convolution over four axes onto a finer grid, as `SparseInverseConv1d`.

    Example:
        >>> import torch
        >>> from recsparse.layers.strided import SparseConv4d
        >>> x = SparseTensor.from_dense(torch.ones(1, 1, 2, 2, 2, 2))
        >>> coarse = SparseConv4d(1, 8, kernel_size=2, stride=2)(x)
        >>> SparseInverseConv4d(8, 1, kernel_size=2, stride=2)(coarse, like=x).grid is x.grid
        True
    """

    num_axes = 4
