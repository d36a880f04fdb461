"""GraphTapConv: convolution whose taps are the neighbours in a table, not neighbouring numbers."""

from typing import SupportsIndex

from jaxtyping import Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.functional import sparse_conv
from recsparse.sparse.kernel import Kernel, whole_number
from recsparse.sparse.tensor import SparseTensor


class GraphTapConv(BaseConv):
    """Convolution along one axis whose taps are the places in a table of neighbours.

    `out[…, i, …] = sum over taps t: W_t x[…, table[i, t], …] + b` over the active cells of `x`, as
    a convolution whose offsets depend on the place: after the ranked neighbourhoods of PATCHY-SAN
    (Niepert et al. 2016, https://arxiv.org/abs/1605.05273, section 4). On a user × item grid with
    the r nearest items of each item, a cell sees what the same user did with those items. No tap
    is the cell itself unless the table says so.

    Layers that are given one tensor share the kernel maps of a grid. The table is a buffer, saved
    with the weights.

    Shapes:
        Input (n, in_channels) with the axis as long as the table, output (n, out_channels) on the
        same grid; table (places, r), weight (out_channels, in_channels / groups, r).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        table: The neighbours of each place on the axis, nearest first; -1 for none.
        axis: The axis of the table's places, from 0, or from -1 for the last one.
        groups: Groups of channels that do not mix.
        bias: Add a learned number to each output channel of the active cells.

    Raises:
        InputError: If the table has no column, or an entry that is neither a place nor -1, or the
            channels are not multiples of the groups.

    Example:
        >>> import torch
        >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
        >>> nearest = (vectors @ vectors.T).topk(2).indices
        >>> nearest.tolist()
        [[0, 2], [1, 2], [2, 0]]
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 0.0, 5.0]]]]))
        >>> sum_of_two = GraphTapConv(1, 1, nearest, bias=False)
        >>> _ = torch.nn.init.ones_(sum_of_two.weight)
        >>> sum_of_two(x).to_dense()[0, 0].tolist()
        [[6.0, 0.0, 6.0]]
    """

    table: Tensor

    def __init__(
        self,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        table: Int[Tensor, "items r"],
        axis: SupportsIndex = -1,
        groups: SupportsIndex = 1,
        bias: bool = True,
    ) -> None:
        _check_table(table)
        super().__init__(in_channels, out_channels, Kernel.of(1, table.shape[1]), groups, bias)
        self.axis = whole_number("axis", axis)
        table = table.long()
        # Writes to tensors of the inference mode cannot be noticed, so those are copied out of it.
        self.register_buffer("table", table.clone() if table.is_inference() else table)

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Convolve the active cells.

        Args:
            x: Features (n, in_channels), the axis as long as the table.

        Returns:
            Features (n, out_channels) on the same grid.

        Raises:
            InputError: If there is no such axis, or its length, the channels or the device are not
                the layer's.
        """
        axis = self._axis_of(x)
        kernel_map = x.grid.neighbour_map(self.table, axis)
        out: Tensor = sparse_conv(x.feats, self.weight, self.bias, kernel_map, self.groups)
        return x.with_feats(out)

    def _axis_of(self, x: SparseTensor) -> int:
        self.check_channels(x)
        num_axes = len(x.spatial_shape)
        if not -num_axes <= self.axis < num_axes:
            raise InputError(
                f"axis must be from {-num_axes} to {num_axes - 1}, but {self} has {self.axis}"
            )
        axis = self.axis % num_axes
        if x.spatial_shape[axis] != len(self.table):
            raise InputError(
                f"{self} needs an axis {axis} of {len(self.table)} places, one for each row of its "
                f"table, but got spatial_shape {x.spatial_shape}"
            )
        if self.table.device != x.coords.device:
            raise InputError(
                f"the table and the grid must be on one device, but got {self.table.device} and "
                f"{x.coords.device}; move one by .to(device)"
            )
        return axis

    def extra_repr(self) -> str:
        """Return the settings for `print(layer)`.

        Returns:
            Channels, the size of the table, the axis and the rest.
        """
        return (
            f"{self.in_channels}, {self.out_channels}, table={tuple(self.table.shape)}, "
            f"axis={self.axis}, groups={self.groups}, bias={self.bias is not None}"
        )


def _check_table(table: Int[Tensor, "items r"]) -> None:
    if table.ndim != 2 or table.shape[1] < 1 or table.is_floating_point():
        raise InputError(
            "table must be integers (places, neighbours) with at least one neighbour per place, "
            f"but got {table.dtype} of shape {tuple(table.shape)}"
        )
    wrong = ((table < -1) | (table >= len(table))).any(dim=1)
    if wrong.any():
        first = int(wrong.nonzero()[0])
        raise InputError(
            f"table must hold places from 0 to {len(table) - 1}, or -1 for none, but "
            f"{int(wrong.sum())} of {len(table)} rows do not; the first is table[{first}] = "
            f"{table[first].tolist()}"
        )
