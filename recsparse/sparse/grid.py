"""Grid: the active cells, which remember their kernel maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import check_sizes, ravel_coords
from recsparse.sparse.generate import conv_coords, conv_transpose_coords
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.kernel_map import (
    KernelMap,
    kernel_map_between,
    neighbour_kernel_map,
    submanifold_kernel_map,
)
from recsparse.sparse.ranks import position_coords


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """Active cells, sorted and without repetition, and the kernel maps computed for them so far.

    Tensors on one grid share its kernel maps, which are freed with it. The coordinates given here
    are trusted; `sparse_tensor` sorts and checks them. More cells than 63 bits can count raise
    `InputError`.

    Attributes:
        coords: One row a cell: the sample, then one coordinate an axis; sorted, each cell once.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.
    """

    coords: Int[Tensor, "n d_1"]
    spatial_shape: tuple[int, ...]
    batch_size: int
    _kernel_maps: dict[tuple[tuple[int, ...], tuple[int, ...]], KernelMap] = field(
        default_factory=dict, init=False
    )
    # The output padding tells the cells of a transposed convolution from those of a convolution.
    _generated: dict[tuple[Kernel, tuple[int, ...] | None], "Grid"] = field(
        default_factory=dict, init=False
    )
    # Keyed by the other grid, weakly: a map lives as long as both of its grids.
    _maps_onto: "WeakKeyDictionary[Grid, dict[Kernel, KernelMap]]" = field(
        default_factory=WeakKeyDictionary, init=False
    )
    _positions: dict[int, tuple["Grid", Tensor | None]] = field(default_factory=dict, init=False)
    _own_maps: dict[Kernel, KernelMap] = field(default_factory=dict, init=False)
    # With each map its table is kept, lest another one gets the number by which it goes.
    _neighbour_maps: dict[tuple[int, int, int], tuple[Tensor, KernelMap]] = field(
        default_factory=dict, init=False
    )
    _rounded: dict[tuple[int, ...], "Grid"] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        # Past 63 bits two cells would share a key, and neighbours would be wrong without a word.
        check_sizes(self.spatial_shape, self.batch_size)

    @property
    def num_cells(self) -> int:
        """Number of active cells."""
        return len(self.coords)

    @property
    def keys(self) -> Int[Tensor, " n"]:
        """The cells as rising row-major integers."""
        return ravel_coords(self.coords, self.spatial_shape)

    def submanifold_map(self, kernel_size: Sequence[int], dilation: Sequence[int]) -> KernelMap:
        """Return the kernel map onto the grid's own cells, computed at the first call.

        Args:
            kernel_size: Odd size on each axis.
            dilation: Distance between taps on each axis.

        Returns:
            The kernel map.
        """
        wanted = tuple(kernel_size), tuple(dilation)
        if wanted not in self._kernel_maps:
            self._kernel_maps[wanted] = submanifold_kernel_map(
                self.coords, self.spatial_shape, *wanted
            )
        return self._kernel_maps[wanted]

    def map_onto_itself(self, kernel: Kernel) -> KernelMap:
        """Return the kernel map onto the grid's own cells, whatever shape the kernel leads to.

        Args:
            kernel: The window; its padding says which tap is the cell itself.

        Returns:
            The kernel map, computed at the first call.
        """
        if kernel not in self._own_maps:
            self._own_maps[kernel] = kernel_map_between(
                self.coords, self.coords, self.spatial_shape, kernel
            )
        return self._own_maps[kernel]

    def neighbour_map(self, table: Int[Tensor, "items r"], axis: int) -> KernelMap:
        """Return the kernel map onto the grid's own cells whose taps a table of neighbours gives.

        Args:
            table: The neighbours of each place on the axis; -1 for none.
            axis: From 0.

        Returns:
            The kernel map, computed at the first call with this tensor and its present values.
        """
        # A table that was written to since, as by `load_state_dict`, is another table.
        wanted = id(table), table._version, axis
        if wanted not in self._neighbour_maps:
            kernel_map = neighbour_kernel_map(self.coords, self.spatial_shape, table, axis)
            self._neighbour_maps[wanted] = table, kernel_map
        return self._neighbour_maps[wanted][1]

    def rounded_up(self, multiple: int) -> "Grid":
        """Return the same cells on axes that end at a multiple, so that they can be halved evenly.

        Args:
            multiple: At least 1.

        Returns:
            A grid whose shape is rounded up, the same one at every call; itself where nothing
            changes.

        Example:
            >>> Grid(torch.zeros(0, 3, dtype=torch.int64), (1, 6), 1).rounded_up(4).spatial_shape
            (4, 8)
        """
        shape = tuple(-(-size // multiple) * multiple for size in self.spatial_shape)
        if shape == self.spatial_shape:
            return self
        if shape not in self._rounded:
            self._rounded[shape] = Grid(self.coords, shape, self.batch_size)
        return self._rounded[shape]

    def conv_grid(self, kernel: Kernel) -> "Grid":
        """Return the output cells of a convolution: those whose window holds an active cell.

        Args:
            kernel: The window.

        Returns:
            A grid of shape `kernel.out_shape(spatial_shape)`, the same one at every call.
        """
        if (kernel, None) not in self._generated:
            coords = conv_coords(self.coords, self.spatial_shape, kernel)
            shape = kernel.out_shape(self.spatial_shape)
            self._generated[kernel, None] = Grid(coords, shape, self.batch_size)
        return self._generated[kernel, None]

    def conv_transpose_grid(self, kernel: Kernel, output_padding: Sequence[int]) -> "Grid":
        """Return the output cells of a transposed convolution: those that an active cell reaches.

        Args:
            kernel: The window of the convolution that is transposed.
            output_padding: Added at the end of each axis of the output.

        Returns:
            A grid of shape `kernel.transposed_out_shape(spatial_shape, output_padding)`, the same
            one at every call.
        """
        wanted = kernel, tuple(output_padding)
        if wanted not in self._generated:
            shape = kernel.transposed_out_shape(self.spatial_shape, output_padding)
            coords = conv_transpose_coords(self.coords, shape, kernel)
            self._generated[wanted] = Grid(coords, shape, self.batch_size)
        return self._generated[wanted]

    def position_grid(self, axis: int) -> "tuple[Grid, Int[Tensor, ' n'] | None]":
        """Return the cells, each moved along an axis to its rank among the active cells there.

        Args:
            axis: From 0.

        Returns:
            A grid of the same shape, the same one at every call, and the row here of each of its
            cells; None where the rows stay, as they do on the last axis.
        """
        if axis not in self._positions:
            coords, order = position_coords(self.coords, self.spatial_shape, axis)
            self._positions[axis] = Grid(coords, self.spatial_shape, self.batch_size), order
        return self._positions[axis]

    def same_cells(self, other: "Grid") -> bool:
        """Say whether another grid has the same cells, shape and batch size.

        Args:
            other: A grid on the same device.

        Returns:
            True for the grid itself, at no cost, and for one that is equal.
        """
        return self is other or (
            self.spatial_shape == other.spatial_shape
            and self.batch_size == other.batch_size
            and torch.equal(self.coords, other.coords)
        )

    def map_onto(self, out: "Grid", kernel: Kernel) -> KernelMap:
        """Return the kernel map of a convolution from these cells onto those of another grid.

        Args:
            out: The grid of the output, of any cells.
            kernel: The window.

        Returns:
            The kernel map, computed at the first call.

        Raises:
            InputError: If the other grid has other samples, another device, or not the shape that
                the kernel leads to.
        """
        self._check_output(out, kernel)
        return self._map_onto(out, kernel)

    def transposed_map_onto(self, out: "Grid", kernel: Kernel) -> KernelMap:
        """Return the kernel map of a transposed convolution from these cells onto another grid.

        Args:
            out: The grid of the output, that of `conv_transpose_grid`.
            kernel: The window of the convolution that is transposed.

        Returns:
            The kernel map, computed at the first call.
        """
        return out._map_onto(self, kernel).transpose()

    def _map_onto(self, out: "Grid", kernel: Kernel) -> KernelMap:
        maps = self._maps_onto.setdefault(out, {})
        if kernel not in maps:
            maps[kernel] = kernel_map_between(self.coords, out.coords, self.spatial_shape, kernel)
        return maps[kernel]

    def _check_output(self, out: "Grid", kernel: Kernel) -> None:
        shape = kernel.out_shape(self.spatial_shape)
        if out.spatial_shape != shape or out.batch_size != self.batch_size:
            raise InputError(
                f"a convolution with {kernel} takes {self!r} to spatial_shape {shape} and "
                f"batch_size {self.batch_size}, but the output cells are of an unrelated {out!r}"
            )
        if out.coords.device != self.coords.device:
            raise InputError(
                f"both grids must be on one device, but got {self.coords.device} and "
                f"{out.coords.device}; move one by .to(device)"
            )

    def select(self, mask: Bool[Tensor, " n"]) -> "Grid":
        """Return the grid of some of the cells, in the same order.

        Args:
            mask: True for the cells to keep.

        Returns:
            A grid of the same shape.
        """
        return Grid(self.coords[mask], self.spatial_shape, self.batch_size)

    def to(self, device: torch.device | str) -> "Grid":
        """Return the grid on a device, itself if it is there.

        Args:
            device: Where to.

        Returns:
            The grid; kernel maps are computed anew on another device.
        """
        moved = self.coords.to(device)
        return self if moved is self.coords else Grid(moved, self.spatial_shape, self.batch_size)

    def __reduce__(self) -> tuple[type["Grid"], tuple[Tensor, tuple[int, ...], int]]:
        # What is remembered is keyed weakly, which cannot be pickled, and is computed anew.
        return Grid, (self.coords, self.spatial_shape, self.batch_size)

    def __repr__(self) -> str:
        return (
            f"Grid({self.num_cells} cells, spatial_shape={self.spatial_shape}, "
            f"batch_size={self.batch_size})"
        )
