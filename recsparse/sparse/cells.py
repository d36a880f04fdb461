"""Active cells: where a sparse tensor has features."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import (
    as_cells,
    check_coords,
    check_order,
    check_sizes,
    ravel_coords,
    whole_sizes,
)
from recsparse.sparse.kernel import Kernel


# Not frozen, because `torch.compile` cannot rebuild a frozen object that refers to later ones.
@dataclass(eq=False, repr=False)
class Cells:
    """Active cells of samples that share their axes; what `Grid` adds is memory.

    The coordinates are checked, as everything else relies on their order; `rs.grid_of` and
    `rs.sparse_tensor` sort them. Compiled code, which cannot look at values, trusts them.

    Shapes:
        coords (n, 1 + axes): column 0 is the sample, column 1 the first axis.

    Attributes:
        coords: One row per cell: the sample, then one coordinate per axis; sorted, each cell once.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.
        trusted: Known to be sorted, without repetition and in the grid, and not looked at.

    Raises:
        InputTypeError: If the coordinates are no tensor of integers, or a size is no integer.
        InputError: If a coordinate is outside the grid, or a cell does not come after the one
            before; or if there are more cells than 63 bits can count.
    """

    coords: Int[Tensor, "n d_1"]
    spatial_shape: tuple[int, ...]
    batch_size: int
    trusted: bool = False

    def __post_init__(self) -> None:
        # Past 63 bits two cells would share a key, and neighbours would be wrong without a word.
        check_sizes(self.spatial_shape, self.batch_size)
        self.coords = as_cells(self.coords, self.spatial_shape)
        if not self.trusted and not torch.compiler.is_compiling() and not self.coords.is_meta:
            self.spatial_shape, self.batch_size = whole_sizes(self.spatial_shape, self.batch_size)
            check_coords(self.coords, self.spatial_shape, self.batch_size)
            check_order(self.coords, self.spatial_shape)
            self.trusted = True

    @property
    def num_cells(self) -> int:
        """Number of active cells."""
        return self.coords.shape[0]  # len() would fix what `torch.export` leaves open

    @property
    def keys(self) -> Int[Tensor, " n"]:
        """The cells as rising row-major integers."""
        return ravel_coords(self.coords, self.spatial_shape)

    def same_cells(self, other: "Cells") -> bool:
        """Say whether another grid has the same cells, shape and batch size.

        Args:
            other: Cells on the same device.

        Returns:
            True for the object itself, at no cost, and for one that is equal.
        """
        return self is other or (
            self.spatial_shape == other.spatial_shape
            and self.batch_size == other.batch_size
            and torch.equal(self.coords, other.coords)
        )

    def check_output(self, out: "Cells", kernel: Kernel) -> None:
        """Raise an error unless a convolution with a kernel can lead to other cells.

        Args:
            out: The output cells.
            kernel: The window.

        Raises:
            InputError: If they have other samples, another device, or not the shape that the
                kernel leads to.
        """
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

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.num_cells} cells, spatial_shape={self.spatial_shape}, "
            f"batch_size={self.batch_size})"
        )
