"""Grid: the active cells, which remember their kernel maps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from recsparse.sparse.cells import Cells
from recsparse.sparse.generate import conv_coords, conv_transpose_coords
from recsparse.sparse.kernel import Kernel
from recsparse.sparse.kernel_map import KernelMap, kernel_map_between, submanifold_kernel_map
from recsparse.sparse.lines import active_lines
from recsparse.sparse.maps_between import Maps, Settings, maps_between, maps_from
from recsparse.sparse.neighbours import NeighbourMaps, remembered_neighbour_map
from recsparse.sparse.ranks import position_coords
from recsparse.sparse.stats import GridStats, kernel_map_stats


# Not frozen, because `torch.compile` cannot rebuild a frozen object that refers to later ones.
@dataclass(eq=False, repr=False)
class Grid(Cells):
    """Active cells, sorted and without repetition, and the kernel maps computed for them so far.

    Tensors on one grid share its kernel maps, which are freed with it; nothing else of it changes.
    Its fields are those of `Cells`.

    Example:
        >>> grid = Grid(torch.tensor([[0, 1], [0, 2]]), spatial_shape=(4,), batch_size=1)
        >>> grid
        Grid(2 cells, spatial_shape=(4,), batch_size=1)
        >>> grid.submanifold_map((3,), (1,)) is grid.submanifold_map((3,), (1,))
        True
    """

    _kernel_maps: dict[tuple[tuple[int, ...], ...], KernelMap] = field(
        default_factory=dict, init=False
    )
    # The grids made of this one, each with the maps to it and back. The output padding tells the
    # cells of a transposed convolution from those of a convolution.
    _made: dict[tuple[Settings, tuple[int, ...] | None], tuple["Grid", Maps, Maps]] = field(
        default_factory=dict, init=False
    )
    _positions: dict[int, tuple["Grid", Tensor | None]] = field(default_factory=dict, init=False)
    _neighbour_maps: NeighbourMaps = field(default_factory=dict, init=False)
    _rounded: dict[tuple[int, ...], "Grid"] = field(default_factory=dict, init=False)
    _lines: dict[tuple[int, ...], tuple["Grid", Tensor]] = field(default_factory=dict, init=False)

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
            kernel: The window, of stride 1; its padding says which tap is the cell itself.

        Returns:
            The kernel map, computed at the first call.
        """
        wanted = kernel.size, kernel.dilation, kernel.padding
        if wanted not in self._kernel_maps:
            self._kernel_maps[wanted] = kernel_map_between(
                self.coords, self.coords, self.spatial_shape, kernel
            )
        return self._kernel_maps[wanted]

    def neighbour_map(self, table: Int[Tensor, "items r"], axis: int) -> KernelMap:
        """Return the kernel map onto the grid's own cells whose taps a table of neighbours gives.

        Args:
            table: The neighbours of each place on the axis; -1 for none.
            axis: From 0.

        Returns:
            The kernel map, computed at the first call with this tensor, and anew after a write to
            it, as by `load_state_dict`; compiled code does not notice such writes.
        """
        maps, shape = self._neighbour_maps, self.spatial_shape
        return remembered_neighbour_map(maps, self.coords, shape, table, axis)

    def rounded_up(self, multiple: int) -> "Grid":
        """Return the same cells on axes that end at a multiple, so that they can be halved evenly.

        Args:
            multiple: At least 1.

        Returns:
            A grid whose shape is rounded up, the same one at every call; itself where nothing
            changes.
        """
        shape = tuple(-(-size // multiple) * multiple for size in self.spatial_shape)
        if shape == self.spatial_shape:
            return self
        if shape not in self._rounded:
            self._rounded[shape] = Grid(self.coords, shape, self.batch_size, trusted=True)
        return self._rounded[shape]

    def lines(self, kept_axes: Sequence[int]) -> tuple["Grid", Int[Tensor, " n"]]:
        """Return the lines that hold a cell: the cells that agree in the sample and some axes.

        Args:
            kept_axes: The axes, from 0, in which the cells of a line agree.

        Returns:
            A grid of these axes with one cell a line, the same one at every call, and the line of
            each cell.
        """
        wanted = tuple(kept_axes)
        if wanted not in self._lines:
            coords, line = active_lines(self.coords, self.spatial_shape, self.batch_size, wanted)
            shape = tuple(self.spatial_shape[axis] for axis in wanted)
            self._lines[wanted] = Grid(coords, shape, self.batch_size, trusted=True), line
        return self._lines[wanted]

    def conv_grid(self, kernel: Kernel) -> "Grid":
        """Return the output cells of a convolution: those whose window holds an active cell.

        Args:
            kernel: The window.

        Returns:
            A grid of shape `kernel.out_shape(spatial_shape)`, the same one at every call.
        """
        wanted = _settings(kernel), None
        if wanted not in self._made:
            coords = conv_coords(self.coords, self.spatial_shape, kernel)
            shape = kernel.out_shape(self.spatial_shape)
            self._made[wanted] = Grid(coords, shape, self.batch_size, trusted=True), {}, {}
        return self._made[wanted][0]

    def conv_transpose_grid(self, kernel: Kernel, output_padding: Sequence[int]) -> "Grid":
        """Return the output cells of a transposed convolution: those that an active cell reaches.

        Args:
            kernel: The window of the convolution that is transposed.
            output_padding: Added at the end of each axis of the output.

        Returns:
            A grid of shape `kernel.transposed_out_shape(spatial_shape, output_padding)`, the same
            one at every call.
        """
        wanted = _settings(kernel), tuple(output_padding)
        if wanted not in self._made:
            shape = kernel.transposed_out_shape(self.spatial_shape, output_padding)
            coords = conv_transpose_coords(self.coords, shape, kernel)
            self._made[wanted] = Grid(coords, shape, self.batch_size, trusted=True), {}, {}
        return self._made[wanted][0]

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
            self._positions[axis] = (
                Grid(coords, self.spatial_shape, self.batch_size, trusted=True),
                order,
            )
        return self._positions[axis]

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
        self.check_output(out, kernel)
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
        maps, wanted = self._maps_to(out), _settings(kernel)
        if wanted not in maps:
            maps[wanted] = kernel_map_between(self.coords, out.coords, self.spatial_shape, kernel)
        return maps[wanted]

    def _maps_to(self, out: "Grid") -> Maps:
        for made, there, _ in self._made.values():
            if made is out:
                return there
        for made, _, back in out._made.values():
            if made is self:
                return back
        if torch.compiler.is_compiling():
            return {}
        return maps_between(self, out)

    def select(self, mask: Bool[Tensor, " n"]) -> "Grid":
        """Return the grid of some of the cells, in the same order.

        Args:
            mask: True for the cells to keep.

        Returns:
            A grid of the same shape.
        """
        return Grid(self.coords[mask], self.spatial_shape, self.batch_size, trusted=True)

    def to(self, device: torch.device | str) -> "Grid":
        """Return the grid on a device, itself if it is there.

        Args:
            device: Where to.

        Returns:
            The grid; kernel maps are computed anew on another device.
        """
        moved = self.coords.to(device)
        return (
            self
            if moved is self.coords
            else Grid(moved, self.spatial_shape, self.batch_size, trusted=True)
        )

    def stats(self) -> GridStats:
        """Return the numbers of cells and pairs and the memory, of what is remembered so far.

        Returns:
            A record that prints as a table.

        Example:
            >>> grid = Grid(torch.tensor([[0, 1], [0, 2]]), (4,), 1)
            >>> grid.submanifold_map((3,), (1,)).num_pairs
            4
            >>> grid.stats()
            2 cells of 1 × 4, 50.000% active, coordinates 32 B, with kernel maps 56 B
              kernel_size=(3,) dilation=(1,): 4 pairs, 2.00 per output cell, 24 B; by tap 1, 2, 1
        """
        return GridStats(
            self.num_cells,
            self.spatial_shape,
            self.batch_size,
            self.coords.nbytes,
            kernel_map_stats(self._named_maps()),
        )

    def _named_maps(self) -> Iterator[tuple[str, KernelMap]]:
        names = ("kernel_size", "dilation", "padding")
        for settings, kernel_map in self._kernel_maps.items():
            pairs = zip(names, settings, strict=False)
            yield " ".join(f"{name}={value}" for name, value in pairs), kernel_map
        for (_, axis), (_, _, kernel_map) in self._neighbour_maps.items():
            yield f"neighbours on axis {axis}", kernel_map
        for made, there, back in self._made.values():
            yield from ((f"onto {made!r} {Kernel(*key)}", found) for key, found in there.items())
            yield from ((f"from {made!r} {Kernel(*key)}", found) for key, found in back.items())
        for other, maps in maps_from(self):
            yield from ((f"onto {other!r} {Kernel(*key)}", found) for key, found in maps.items())

    def __reduce__(self) -> tuple[type["Grid"], tuple[Tensor, tuple[int, ...], int]]:
        # What is remembered is keyed weakly, which cannot be pickled, and is computed anew.
        return Grid, (self.coords, self.spatial_shape, self.batch_size)


def _settings(kernel: Kernel) -> Settings:
    return kernel.size, kernel.stride, kernel.padding, kernel.dilation
