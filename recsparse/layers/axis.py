"""AxisConv2d: the kernel is the whole row and the whole column of a cell."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.sparse.pooling import lines_of_cells
from recsparse.sparse.scatter import scatter_mean
from recsparse.sparse.tensor import SparseTensor

Kernel = Literal["row", "column", "all"]


class AxisConv2d(nn.Module):
    """The exchangeable matrix layer (Hartford et al. 2018, arXiv 1803.02879, section 3).

    `out = x W + mean(row of x) W_row + mean(column of x) W_column + mean(all of x) W_all + b`,
    with means over the active cells of the same sample. It does not depend on the order of rows
    and columns, and serves grids of any size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Add a learned number to each output channel of the active cells.
        axes: Which of the three means are mixed in.

    Raises:
        InputError: If an axis is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        axes: Sequence[Kernel] = ("row", "column", "all"),
    ) -> None:
        super().__init__()
        unknown = set(axes) - {"row", "column", "all"}
        if unknown:
            raise InputError(f"axes must be of 'row', 'column', 'all', but got {sorted(unknown)}")
        self.axes = tuple(axes)
        self.cell = nn.Linear(in_channels, out_channels, bias=bias)
        self.mixed = nn.ModuleDict(
            {axis: nn.Linear(in_channels, out_channels, bias=False) for axis in self.axes}
        )

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Mix every active cell with the means of its row, its column and its sample.

        Args:
            x: Features (n, in_channels) on a grid of two axes.

        Returns:
            Features (n, out_channels) on the same grid.

        Raises:
            InputError: If the grid has not two axes.
        """
        if len(x.spatial_shape) != 2:
            raise InputError(f"AxisConv2d needs two axes, but got {len(x.spatial_shape)}")
        out: Float[Tensor, "n c_out"] = self.cell(x.feats)
        for axis, linear in self.mixed.items():
            line, num_lines = lines_of_cells(x, _KEPT_AXES[axis])
            # The product on the means costs one row a line, and not one a cell.
            mean = scatter_mean(x.feats, line, num_lines)
            out = out + torch.index_select(linear(mean), 0, line)
        return x.with_feats(out)


# A row's mean keeps the row axis (0), a column's the column axis (1), the sample's neither.
_KEPT_AXES: dict[str, tuple[int, ...]] = {"row": (0,), "column": (1,), "all": ()}
