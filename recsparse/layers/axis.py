"""AxisConv: the kernel is the whole row, the whole column, any plane, or everything."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.sparse.kernel import whole_number
from recsparse.sparse.pooling import reduce_lines
from recsparse.sparse.precision import in_wide_type, widened
from recsparse.sparse.tensor import SparseTensor

Kernel = Literal["row", "column", "all"]


class _AxisConv(nn.Module):
    """The layer with lines under names of their own; the public classes choose them."""

    def __init__(
        self,
        num_axes: SupportsIndex,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        bias: bool,
        lines: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__()
        self.num_axes = whole_number("num_axes", num_axes)
        in_channels = whole_number("in_channels", in_channels)
        out_channels = whole_number("out_channels", out_channels)
        self.lines = dict(lines)
        self.cell = nn.Linear(in_channels, out_channels, bias=bias)
        self.mixed = nn.ModuleDict(
            {name: nn.Linear(in_channels, out_channels, bias=False) for name in self.lines}
        )

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Mix every active cell with the means of the lines through it.

        Args:
            x: Features (n, in_channels) on a grid with as many axes as the layer.

        Returns:
            Features (n, out_channels) on the same grid.

        Raises:
            InputError: If the grid has other axes or the input other channels.
        """
        name = type(self).__name__
        if len(x.spatial_shape) != self.num_axes:
            count = {1: "one axis", 2: "two axes"}.get(self.num_axes, f"{self.num_axes} axes")
            raise InputError(f"{name} needs {count}, but got {len(x.spatial_shape)}")
        if x.num_channels != self.cell.in_features:
            raise InputError(
                f"{name} needs feats of {self.cell.in_features} channels, but got {x.num_channels}"
            )
        out: Float[Tensor, "n c_out"] = self.cell(x.feats)
        total = widened(out)
        for key, linear in self.mixed.items():
            lines, line = x.grid.lines(self.lines[key])
            # The product on the means costs one row per line, and not one per cell.
            mean = reduce_lines(widened(x.feats), line, lines.num_cells, "mean")
            total = total + torch.index_select(in_wide_type(linear, mean), 0, line)
        return x.with_feats(total.to(out.dtype))


class AxisConv(_AxisConv):
    """The exchangeable tensor layer in any number of axes (Hartford et al. 2018).

    `out = x W + sum over S: mean(cells that agree in the sample and the axes S) W_S + b`, with
    means over the active cells (https://arxiv.org/abs/1803.02879). It does not depend on the order
    of the places of any axis, and serves grids of any size. In two axes, `S = (0,)` is the row,
    `(1,)` the column, `()` everything; in three, `(0, 1)` is a line along axis 2 and `(0,)` a
    plane.

    Shapes:
        Input (n, in_channels), output (n, out_channels) on the same grid; every weight
        (out_channels, in_channels), as that of `torch.nn.Linear`.

    Args:
        num_axes: Number of axes of the grid.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Add a learned number to each output channel of the active cells.
        kept_axes: The sets S of axes, from 0; None for all `2^num_axes − 1` but that of all axes,
            in which a line would be the cell alone.

    Raises:
        InputError: If a set has an axis twice or one that there is not, holds all axes, or occurs
            twice.

    Example:
        >>> sorted(AxisConv(2, 1, 1).mixed)
        ['0', '1', 'all']
    """

    def __init__(
        self,
        num_axes: SupportsIndex,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        bias: bool = True,
        kept_axes: Sequence[Sequence[SupportsIndex]] | None = None,
    ) -> None:
        num_axes = whole_number("num_axes", num_axes)
        axes = range(num_axes)
        possible = [kept for size in axes for kept in itertools.combinations(axes, size)]
        wanted = possible if kept_axes is None else [_sorted(kept) for kept in kept_axes]
        wrong = [kept for kept in wanted if kept not in possible or wanted.count(kept) > 1]
        if num_axes < 1 or wrong:
            raise InputError(
                f"kept_axes must be different sets of fewer than {num_axes} axes from 0 to "
                f"{num_axes - 1}, but got {wrong or kept_axes}"
            )
        lines = {"_".join(map(str, kept)) or "all": kept for kept in wanted}
        super().__init__(num_axes, in_channels, out_channels, bias, lines)


class AxisConv2d(_AxisConv):
    """The exchangeable matrix layer: each cell mixed with the means of its row, column and sample.

    `out = x W + mean(row of x) W_row + mean(column of x) W_column + mean(all of x) W_all + b`, with
    means over the active cells of the same sample (Hartford et al. 2018,
    https://arxiv.org/abs/1803.02879). It does not depend on the order of rows and columns, and
    serves grids of any size.

    Shapes:
        Input (n, in_channels), output (n, out_channels) on the same grid; every weight
        (out_channels, in_channels), as that of `torch.nn.Linear`.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Add a learned number to each output channel of the active cells.
        axes: Which of the three means are mixed in; one name, or several.

    Raises:
        InputError: If an axis is unknown.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[[1.0, 3.0], [0.0, 5.0]]]]))
        >>> layer = AxisConv2d(1, 1, bias=False, axes=("row",))
        >>> for weight in layer.parameters():
        ...     _ = nn.init.ones_(weight)
        >>> layer(x).feats.flatten().tolist()  # 1 + 2, 3 + 2, 5 + 5
        [3.0, 5.0, 10.0]
    """

    def __init__(
        self,
        in_channels: SupportsIndex,
        out_channels: SupportsIndex,
        bias: bool = True,
        axes: Kernel | Sequence[Kernel] = ("row", "column", "all"),
    ) -> None:
        axes = (axes,) if isinstance(axes, str) else axes
        unknown = set(axes) - _KEPT_AXES.keys()
        if unknown:
            raise InputError(f"axes must be of 'row', 'column', 'all', but got {sorted(unknown)}")
        lines = {str(axis): _KEPT_AXES[axis] for axis in axes}
        super().__init__(2, in_channels, out_channels, bias, lines)
        self.axes = tuple(axes)


def _sorted(kept: Sequence[SupportsIndex]) -> tuple[int, ...]:
    return tuple(sorted(whole_number("kept_axes", axis) for axis in kept))


# A row's mean keeps the row axis (0), a column's the column axis (1), the sample's neither.
_KEPT_AXES: dict[str, tuple[int, ...]] = {"row": (0,), "column": (1,), "all": ()}
