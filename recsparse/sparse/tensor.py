"""SparseTensor: features on the active cells of a grid; cells and values are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, SupportsIndex, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.conversions import Convertible
from recsparse.sparse.coords import (
    check_coords,
    check_feats,
    find_keys,
    sort_cells,
    whole_sizes,
)
from recsparse.sparse.grid import Grid
from recsparse.sparse.precision import rows_at
from recsparse.sparse.repeated_cells import DuplicateRule, coalesce
from recsparse.sparse.sets import check_same_space, intersection, rows_of, union
from recsparse.sparse.slicing import Key, sampled, sliced, slices_of


@dataclass(frozen=True, eq=False, repr=False)
class SparseTensor(Convertible):
    """Features on the active cells of a grid; every other cell is zero.

    `x + y` and `x - y` are on the union of both grids, `x * y` on their intersection, as sums and
    products of the dense tensors; on one grid they stay there. `x * 2` scales. `x[...]` takes
    slices of (batch, channels, *spatial_shape) with the meaning they have on the dense tensor.

    Attributes:
        grid: The cells.
        feats: One row of channels per cell, of a floating type, on the device of the grid; anything
            else raises `InputError`.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
        >>> y = SparseTensor.from_dense(torch.tensor([[[0.0, 0.0, 3.0]]]))
        >>> (x + y).to_dense().tolist(), (x * y).coords.tolist(), x[..., 1:].coords.tolist()
        ([[[1.0, 0.0, 5.0]]], [[0, 2]], [[0, 1]])
    """

    def with_feats(self, feats: Float[Tensor, "n c"]) -> "SparseTensor":
        """Return other features on the same grid.

        Args:
            feats: One row per cell.

        Returns:
            A tensor that shares the grid and its kernel maps.

        Example:
            >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
            >>> x.with_feats(x.feats + 1).to_dense().tolist()
            [[[2.0, 0.0, 3.0]]]
        """
        return SparseTensor(self.grid, feats)

    def to(self, device_or_dtype: torch.device | torch.dtype | str) -> "SparseTensor":
        """Return the tensor on a device, or with features of a type.

        Args:
            device_or_dtype: Where or what to.

        Returns:
            The converted tensor.
        """
        feats = self.feats.to(device_or_dtype)
        return SparseTensor(self.grid.to(feats.device), feats)

    def select(self, mask: Bool[Tensor, " n"]) -> "SparseTensor":
        """Return some of the cells with their features.

        Args:
            mask: True for the cells to keep.

        Returns:
            A tensor on a smaller grid of the same shape.

        Raises:
            InputTypeError: If the mask is not of type bool.
            InputError: If it has not one entry per cell.

        Example:
            >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
            >>> x.select(x.feats[:, 0] > 1).to_dense().tolist()
            [[[0.0, 0.0, 2.0]]]
        """
        if mask.dtype != torch.bool:
            raise InputTypeError(
                f"mask must be of type bool, but got {mask.dtype}; mend it by a comparison"
            )
        if mask.shape != self.feats.shape[:1]:
            raise InputError(
                f"mask must have one entry per cell, shape ({self.grid.num_cells},), but got "
                f"{tuple(mask.shape)}"
            )
        kept = mask.nonzero().flatten()
        return SparseTensor(self.grid.select(mask), self.feats.index_select(0, kept))

    def prune(self, threshold: float = 0.0) -> "SparseTensor":
        """Return the cells of which any channel is farther from zero than a threshold, or is NaN.

        Args:
            threshold: Not negative.

        Returns:
            A tensor on a smaller grid of the same shape.

        Raises:
            InputError: If the threshold is negative or NaN.

        Example:
            >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
            >>> x.prune(threshold=1.0).coords.tolist()
            [[0, 2]]
        """
        if not threshold >= 0:
            raise InputError(f"threshold must not be negative, but got {threshold}")
        return self.select(~(self.feats.abs() <= threshold).all(dim=1))

    def samples(self, index: Int[Tensor, " b"]) -> "SparseTensor":
        """Return some samples of the batch, in the order given.

        Args:
            index: The samples, repetitions allowed.

        Returns:
            A tensor of as many samples.

        Raises:
            InputTypeError: If the index is no tensor of 64-bit integers.
            InputError: If there is no such sample.

        Example:
            >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]]))
            >>> x.samples(torch.tensor([1, 0, 1])).to_dense().tolist()
            [[[0.0, 2.0]], [[1.0, 0.0]], [[0.0, 2.0]]]
        """
        grid, rows = sampled(self.grid, index)
        return SparseTensor(grid, rows_at(self.feats, rows))

    def at(self, coords: Int[Tensor, "m d_1"]) -> Float[Tensor, "m c"]:
        """Look up the features of given cells.

        Args:
            coords: One row per cell, in any order, repetitions allowed.

        Returns:
            One row for each, zero where the cell is not active.

        Raises:
            InputError: If a cell is outside the grid's shape.

        Example:
            >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
            >>> x.at(torch.tensor([[0, 2], [0, 1]])).tolist()
            [[2.0], [0.0]]
        """
        return self._read(rows_of(self.grid, coords))

    def onto(self, grid: Grid) -> "SparseTensor":
        """Return the tensor on the cells of another grid.

        Args:
            grid: Of the same shape and batch size.

        Returns:
            A tensor on that grid, zero at the cells that were not active; itself if it is there.

        Raises:
            InputError: If the shape, batch size or device differs.

        Example:
            >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
            >>> x.onto(Grid(torch.tensor([[0, 1], [0, 2]]), (3,), 1)).feats.tolist()
            [[0.0], [2.0]]
        """
        check_same_space(self.grid, grid)
        if grid is self.grid:
            return self
        return SparseTensor(grid, self._read(find_keys(self.grid.keys, grid.keys)))

    def _read(self, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        # Inactive cells read a row of zeros at the end: no product with 0, which would keep NaN.
        padded = torch.cat([self.feats, self.feats.new_zeros(1, self.num_channels)])
        return rows_at(padded, torch.where(rows < 0, self.grid.num_cells, rows))

    def __getitem__(self, key: Key) -> "SparseTensor":
        samples, channels, *axes = slices_of(key, 2 + len(self.spatial_shape))
        grid, rows = sliced(self.grid, [samples, *axes])
        feats = self.feats if rows is None else self.feats.index_select(0, rows)
        return SparseTensor(grid, feats[:, channels])

    def __add__(self, other: "SparseTensor") -> "SparseTensor":
        grid = union(self.grid, self._operand(other, "+").grid)
        return SparseTensor(grid, self.onto(grid).feats + other.onto(grid).feats)

    def __sub__(self, other: "SparseTensor") -> "SparseTensor":
        grid = union(self.grid, self._operand(other, "-").grid)
        return SparseTensor(grid, self.onto(grid).feats - other.onto(grid).feats)

    def __mul__(self, other: "SparseTensor | int | float | Tensor") -> "SparseTensor":
        if isinstance(other, int | float) or (isinstance(other, Tensor) and other.ndim == 0):
            return self.with_feats(self.feats * other)
        factor = self._operand(other, "*")
        grid = intersection(self.grid, factor.grid)
        return SparseTensor(grid, self.onto(grid).feats * factor.onto(grid).feats)

    def __rmul__(self, number: int | float | Tensor) -> "SparseTensor":
        return self * number

    def __neg__(self) -> "SparseTensor":
        return self.with_feats(-self.feats)

    def _operand(self, other: object, sign: str) -> "SparseTensor":
        if not isinstance(other, SparseTensor):
            raise InputTypeError(
                f"x {sign} y needs two sparse tensors, but got {type(other).__name__}; to change "
                "the active cells alone, use x.with_feats"
            )
        if other.num_channels != self.num_channels:
            raise InputError(
                f"x {sign} y needs as many channels on both sides, but got {self.num_channels} and "
                f"{other.num_channels}"
            )
        return other

    def __reduce__(self) -> tuple[type["SparseTensor"], tuple[Grid, Tensor]]:
        # The constructor checks what a file says.
        return SparseTensor, (self.grid, self.feats)

    def __repr__(self) -> str:
        return f"SparseTensor({self.grid!r}, {self.num_channels} channels)"


def sparse_tensor(
    coords: Int[Tensor, "n d_1"],
    feats: Float[Tensor, "n c"],
    spatial_shape: Sequence[SupportsIndex],
    batch_size: SupportsIndex,
    on_duplicates: DuplicateRule | Literal["error"] = "error",
) -> SparseTensor:
    """Make a sparse tensor of cells in any order.

    Args:
        coords: One row per cell: the sample, then one coordinate per axis; of any integer type.
        feats: The channels of each cell; NaN is allowed.
        spatial_shape: Size of each axis; the sizes and the batch size multiply to less than 2^63.
        batch_size: Number of samples.
        on_duplicates: `error` refuses a cell that occurs twice; else it gets, channel by channel,
            the `sum`, `mean` or `max` of its rows, or the row that comes `first`.

    Returns:
        The tensor; its cells are sorted by sample and coordinate.

    Raises:
        InputTypeError: If `coords` is not of an integer type, or `feats` not of a floating type.
        InputError: If a size, a length or a device does not fit, a coordinate is outside the grid,
            a cell occurs twice, or `on_duplicates` is unknown.

    Example:
        >>> coords = torch.tensor([[0, 2, 1], [0, 0, 0]])
        >>> sparse_tensor(coords, torch.ones(2, 1), (3, 3), 1).coords.tolist()
        [[0, 0, 0], [0, 2, 1]]
    """
    shape, samples = whole_sizes(spatial_shape, batch_size)
    check_coords(coords, shape, samples)
    check_feats(feats, coords)
    rules = ("error", *get_args(DuplicateRule))
    if on_duplicates not in rules:
        raise InputError(f"on_duplicates must be one of {rules}, but got {on_duplicates!r}")
    if on_duplicates == "error":
        order, starts = sort_cells(coords, shape)
        _refuse_repeats(coords, order, starts)
        # index_select is several times faster than indexing by brackets.
        cells, rows = coords.index_select(0, order).long(), feats.index_select(0, order)
    else:
        cells, rows = coalesce(coords, feats, shape, on_duplicates)
    return SparseTensor(Grid(cells, shape, samples, trusted=True), rows)


def _refuse_repeats(coords: Tensor, order: Tensor, starts: Tensor) -> None:
    if starts.all():
        return
    repeats = (~starts).nonzero().flatten()
    first, second = int(order[repeats[0] - 1]), int(order[repeats[0]])
    raise InputError(
        f"each cell must occur once, but {len(repeats)} rows repeat one; the first are "
        f"coords[{first}] and coords[{second}] = {coords[first].tolist()}; say what they become "
        "by on_duplicates='sum', 'mean', 'max' or 'first'"
    )


torch.serialization.add_safe_globals([Grid, SparseTensor])  # for `weights_only=True`
