"""Submanifold convolution layers: outputs on the input's own cells, nothing fills in."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.kernel_map import check_submanifold_kernel
from recsparse.sparse.tensor import SparseTensor


class _SubmanifoldConv(nn.Module):
    """The layer in any number of axes; the public classes fix it."""

    num_axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _one_a_axis("kernel_size", kernel_size, self.num_axes)
        self.dilation = _one_a_axis("dilation", dilation, self.num_axes)
        check_submanifold_kernel(self.num_axes, self.kernel_size, self.dilation)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise InputError(
                "in_channels and out_channels must be multiples of groups, but got "
                f"{in_channels}, {out_channels} and {groups}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels // groups, *self.kernel_size)
        )
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias as torch's own convolutions do."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight[0].numel()
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve the active cells.

        Args:
            x: Features (n, in_channels) on a grid with as many axes as the layer.

        Returns:
            Features (n, out_channels) on the same grid.
        """
        kernel_map = x.grid.submanifold_map(self.kernel_size, self.dilation)
        out: Tensor = sparse_conv(x.feats, self.weight, self.bias, kernel_map, self.groups)
        return x.with_feats(out)

    def extra_repr(self) -> str:
        """Return the settings for `print(layer)`.

        Returns:
            Channels, kernel and what is not torch's default.
        """
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
        )


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
    """Submanifold convolution over two axes (Graham et al. 2018, arXiv 1711.10275, section 3.1).

    On every active cell the output equals `torch.nn.functional.conv2d` of the dense tensor with
    padding `dilation (kernel_size - 1) / 2`; other cells stay empty.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd; one number, or one an axis.
        dilation: Distance between taps; one number, or one an axis.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the active cells.
    """

    num_axes = 2


class SubmanifoldConv3d(_SubmanifoldConv):
    """Submanifold convolution over three axes (Graham et al. 2018, arXiv 1711.10275, section 3.1).

    On every active cell the output equals `torch.nn.functional.conv3d` of the dense tensor with
    padding `dilation (kernel_size - 1) / 2`; other cells stay empty.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd; one number, or one an axis.
        dilation: Distance between taps; one number, or one an axis.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the active cells.
    """

    num_axes = 3


def _one_a_axis(name: str, value: int | Sequence[int], num_axes: int) -> tuple[int, ...]:
    values = (value,) * num_axes if isinstance(value, int) else tuple(value)
    if len(values) != num_axes:
        raise InputError(f"{name} must have one entry for each of {num_axes} axes, but got {value}")
    return values
