"""What a grid holds: cells, the pairs of its kernel maps, memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan, prod

from recsparse.sparse.kernel_map import KernelMap

_MOST_TAPS_SHOWN = 27


@dataclass(frozen=True)
class KernelMapStats:
    """The numbers of one kernel map.

    Attributes:
        name: The settings of its kernel, and the other grid where there is one.
        pairs_per_tap: Number of pairs of each tap, in row-major order of the kernel.
        num_out: Number of output cells.
        num_bytes: Memory; a symmetric map stores half of its pairs.

    Example:
        >>> KernelMapStats("kernel_size=(3,)", (1, 2, 1), num_out=2, num_bytes=24)
        KernelMapStats(name='kernel_size=(3,)', pairs_per_tap=(1, 2, 1), num_out=2, num_bytes=24)
    """

    name: str
    pairs_per_tap: tuple[int, ...]
    num_out: int
    num_bytes: int

    @property
    def num_pairs(self) -> int:
        """Number of pairs of all taps."""
        return sum(self.pairs_per_tap)

    @property
    def mean_neighbours(self) -> float:
        """Number of input cells that an output cell meets, itself included; NaN without cells."""
        return self.num_pairs / self.num_out if self.num_out else nan

    def __str__(self) -> str:
        taps = ", ".join(f"{pairs:,}" for pairs in self.pairs_per_tap)
        if len(self.pairs_per_tap) > _MOST_TAPS_SHOWN:
            fewest, most = min(self.pairs_per_tap), max(self.pairs_per_tap)
            taps = f"{len(self.pairs_per_tap)} taps of {fewest:,} to {most:,}"
        return (
            f"{self.name}: {self.num_pairs:,} pairs, {self.mean_neighbours:.2f} per output cell, "
            f"{_readable(self.num_bytes)}; by tap {taps}"
        )


@dataclass(frozen=True, repr=False)
class GridStats:
    """The numbers of a grid and of the kernel maps that it remembers; printed, one line each.

    Attributes:
        num_cells: Number of active cells.
        spatial_shape: Size of each axis.
        batch_size: Number of samples.
        coords_bytes: Memory of the coordinates.
        kernel_maps: Those computed so far, also those onto other grids.

    Example:
        >>> GridStats(3, (2, 3), 2, coords_bytes=72, kernel_maps=())
        3 cells of 2 × 2 × 3, 25.000% active, coordinates 72 B, with kernel maps 72 B
    """

    num_cells: int
    spatial_shape: tuple[int, ...]
    batch_size: int
    coords_bytes: int
    kernel_maps: tuple[KernelMapStats, ...]

    @property
    def share_active(self) -> float:
        """Share of the cells of the grid's shape that are active; NaN where there are none."""
        places = self.batch_size * prod(self.spatial_shape)
        return self.num_cells / places if places else nan

    @property
    def num_bytes(self) -> int:
        """Memory of coordinates and kernel maps."""
        return self.coords_bytes + sum(pairs.num_bytes for pairs in self.kernel_maps)

    def __repr__(self) -> str:
        sizes = " × ".join(f"{size:,}" for size in (self.batch_size, *self.spatial_shape))
        first = (
            f"{self.num_cells:,} cells of {sizes}, {self.share_active:.3%} active, coordinates "
            f"{_readable(self.coords_bytes)}, with kernel maps {_readable(self.num_bytes)}"
        )
        return "\n  ".join([first, *map(str, self.kernel_maps)])


def kernel_map_stats(named: Iterable[tuple[str, KernelMap]]) -> tuple[KernelMapStats, ...]:
    """Return the numbers of kernel maps.

    Args:
        named: Each map with the name it goes by.

    Returns:
        One record a map.
    """
    return tuple(
        KernelMapStats(name, tuple(pairs.pairs_per_tap), pairs.num_out, pairs.num_bytes)
        for name, pairs in named
    )


def _readable(num_bytes: int) -> str:
    """Return a number of bytes in the largest decimal unit of which there is one.

    >>> _readable(1_234), _readable(12)
    ('1.2 kB', '12 B')
    """
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if num_bytes >= 1000**power:
            return f"{num_bytes / 1000**power:.1f} {unit}"
    return f"{num_bytes} B"
