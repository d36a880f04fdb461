"""CausalConv1d: convolution along time that sees the past and the present alone."""

from typing import SupportsIndex

from torch import Tensor

from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.kernel import Kernel, whole_number
from recsparse.sparse.tensor import SparseTensor


class CausalConv1d(BaseConv):
    """Causal convolution along the last axis of a grid (van den Oord et al. 2016, section 2.1).

    The output at time x is `sum over taps t: W_t · input at x − dilation (kernel_size − 1 − t)`
    plus the bias, so that the last tap is the present (WaveNet, https://arxiv.org/abs/1609.03499).
    On every active cell it equals `torch.nn.functional.conv1d` of the dense tensor padded by
    `dilation (kernel_size − 1)` on the left; other cells stay empty. Axes before the last, as the
    users of a (user, time) grid, are lines that do not mix.

    Time is read as the coordinates say: buckets of real time, where a window holds the last days.
    To read it as the position in the line's own sequence, where a window holds the last events, put
    the layers between `recsparse.sparse.positions.to_positions` and `from_positions`.

    Shapes:
        Input (n, in_channels), output (n, out_channels) on the same grid; weight
        (out_channels, in_channels / groups, kernel_size).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Number of taps; even or odd.
        dilation: Distance between taps.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the active cells.

    Raises:
        InputError: If a setting is below 1, or the channels are not multiples of the groups.

    Example:
        >>> import torch
        >>> from recsparse.sparse.positions import from_positions, to_positions
        >>> sum_of_two = CausalConv1d(1, 1, kernel_size=2, bias=False)
        >>> sum_of_two.load_state_dict({"weight": torch.ones(1, 1, 2)})
        <All keys matched successfully>
        >>> events = SparseTensor.from_dense(torch.tensor([[[[1.0, 0.0, 2.0, 4.0]]]]))
        >>> sum_of_two(events).feats.flatten().tolist()
        [1.0, 2.0, 6.0]
        >>> from_positions(sum_of_two(to_positions(events)), events).feats.flatten().tolist()
        [1.0, 3.0, 6.0]
    """

    def __init__(
        self,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        kernel_size: SupportsIndex,
        dilation: SupportsIndex = 1,
        groups: SupportsIndex = 1,
        bias: bool = True,
    ) -> None:
        kernel_size = whole_number("kernel_size", kernel_size)
        dilation = whole_number("dilation", dilation)
        # A wrong size must not turn up as a wrong padding.
        reach = max(dilation, 0) * max(kernel_size - 1, 0)
        kernel = Kernel.of(1, kernel_size, padding=reach, dilation=dilation)
        super().__init__(in_channels, out_channels, kernel, groups, bias)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve the active cells of each line.

        Args:
            x: Features (n, in_channels); the last axis is time.

        Returns:
            Features (n, out_channels) on the same grid.

        Raises:
            InputError: If the channels differ from the layer's.
        """
        self.check_channels(x)
        kernel_map = x.grid.map_onto_itself(self.kernel.along_last(len(x.spatial_shape)))
        out: Tensor = sparse_conv(x.feats, self.weight, self.bias, kernel_map, self.groups)
        return x.with_feats(out)
