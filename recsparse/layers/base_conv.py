"""What all convolution layers share: weights in torch's layout, settings, and their checks."""

import math
from typing import ClassVar, SupportsIndex

import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.sparse.kernel import Kernel, whole_number
from recsparse.sparse.tensor import SparseTensor


class BaseConv(nn.Module):
    """Weight and bias of a convolution, drawn as torch's own convolutions draw them.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: The window.
        groups: Groups of channels that do not mix.
        bias: Have a learned number for each output channel.

    Raises:
        InputTypeError: If one of them is no integer.
        InputError: If the channels are not positive multiples of the groups.
    """

    transposed: ClassVar[bool] = False
    pads: ClassVar[bool] = False  # whether padding is a setting of the layer, and shown

    def __init__(
        self,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        kernel: Kernel,
        groups: SupportsIndex,
        bias: bool,
    ) -> None:
        super().__init__()
        in_channels = whole_number("in_channels", in_channels)
        out_channels = whole_number("out_channels", out_channels)
        groups = whole_number("groups", groups)
        least = min(in_channels, out_channels, groups)
        if least < 1 or in_channels % groups or out_channels % groups:
            raise InputError(
                "in_channels and out_channels must be positive multiples of groups, but got "
                f"{in_channels}, {out_channels} and {groups}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel = kernel
        ends = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = nn.Parameter(torch.empty(ends[0], ends[1] // groups, *kernel.size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias as torch's own convolutions do."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight[0].numel()
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            nn.init.uniform_(self.bias, -bound, bound)

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Number of taps on each axis."""
        return self.kernel.size

    @property
    def stride(self) -> tuple[int, ...]:
        """Distance of the windows of neighbouring outputs on each axis."""
        return self.kernel.stride

    @property
    def padding(self) -> tuple[int, ...]:
        """Reach of the first window out of the grid on each axis."""
        return self.kernel.padding

    @property
    def dilation(self) -> tuple[int, ...]:
        """Distance between taps on each axis."""
        return self.kernel.dilation

    def check_input(self, x: SparseTensor) -> None:
        """Raise an error that names the layer unless it takes such a tensor.

        Args:
            x: The input.

        Raises:
            InputError: If the axes or the channels differ from the layer's.
        """
        self.kernel.check_axes(x.spatial_shape)
        self.check_channels(x)

    def check_channels(self, x: SparseTensor) -> None:
        """Raise an error that names the layer unless it takes this many channels.

        Args:
            x: The input.

        Raises:
            InputError: If the channels differ from the layer's.
        """
        if x.num_channels != self.in_channels:
            raise InputError(
                f"{self} needs feats of {self.in_channels} channels, but got {x.num_channels}"
            )

    def extra_repr(self) -> str:
        """Return the settings for `print(layer)`.

        Returns:
            Channels, kernel and what is not torch's default.
        """
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel.size}"]
        if any(step != 1 for step in self.kernel.stride):
            shown.append(f"stride={self.kernel.stride}")
        if self.pads and any(self.kernel.padding):
            shown.append(f"padding={self.kernel.padding}")
        shown.append(f"dilation={self.kernel.dilation}, groups={self.groups}")
        return ", ".join([*shown, f"bias={self.bias is not None}"])
