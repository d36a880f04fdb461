"""Grid: the active cells, which remember their kernel maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from recsparse.sparse.coords import check_sizes, ravel_coords
from recsparse.sparse.kernel_map import KernelMap, submanifold_kernel_map


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """Active cells, sorted and without repetition, and the kernel maps computed for them so far.

    Tensors on one grid share its kernel maps. The coordinates given here are trusted;
    `sparse_tensor` sorts and checks them. More cells than 63 bits can count raise `InputError`.

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

    def __repr__(self) -> str:
        return (
            f"Grid({self.num_cells} cells, spatial_shape={self.spatial_shape}, "
            f"batch_size={self.batch_size})"
        )
