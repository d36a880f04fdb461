"""Grids of active cells to convolve: seeded, with the shape and the skew of real data.

User-item grids are drawn cell by cell, the user from a lognormal activity, the item from a
Zipf-Mandelbrot popularity with an exponential cut-off, and a pair drawn before is drawn again;
ids are in arbitrary order. The parameters are fitted to MovieLens-100K and -1M by the shares of all
cells that the most active users and the most popular items hold:

| | users, top 1 % / 10 % / 50 % | items, top 1 % / 10 % / 50 % |
|---|---|---|
| MovieLens-100K | 5.1 / 31.9 / 83.0 % | 7.6 / 42.7 / 92.7 % |
| `user-item 100k` | 5.4 / 33.0 / 83.6 % | 6.8 / 42.9 / 92.2 % |
| MovieLens-1M | 6.9 / 38.1 / 85.4 % | 8.7 / 44.5 / 92.4 % |
| `user-item 1M` | 6.3 / 36.4 / 85.5 % | 7.3 / 44.7 / 92.5 % |

Pairs of cells under a kernel of 3 per axis: `user-item 100k` 184,884 and `user-item 1M` 1,650,432
(MovieLens with ids in random order: about 184,600 and 1,669,000), `sparse 1M` 1,018,902 (98 of 100
cells are alone in their window), `voxels 150k` 1,660,162.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Coords = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """A set of active cells.

    Attributes:
        name: What the tables call it.
        shape: Size of each axis.
        number: Number of active cells.
        draw: Returns the row-major keys of at least that many cells, without repetition, from a
            generator, the shape and the number.
    """

    name: str
    shape: tuple[int, ...]
    number: int
    draw: Callable[[np.random.Generator, tuple[int, ...], int], NDArray[np.int64]]

    @cache  # noqa: B019 (a handful of sets, each used once per number of channels)
    def coords(self) -> Coords:
        """Return one row per cell, (number, 1 + axes): the sample 0, then the cell, sorted."""
        generator = np.random.default_rng(0)
        keys = self.draw(generator, self.shape, self.number)
        keys = np.sort(generator.choice(keys, self.number, replace=False))
        return np.stack([np.zeros_like(keys), *np.unravel_index(keys, self.shape)], axis=1)


@dataclass(frozen=True)
class Case:
    """A convolution to time: kernel 3 on each axis, as many channels out as in, no bias.

    Attributes:
        cells: The active cells.
        channels: Channels of input and output.
    """

    cells: Cells
    channels: int


def user_item_keys(
    generator: np.random.Generator, shape: tuple[int, ...], number: int
) -> NDArray[np.int64]:
    """Return cells of a log of users and items with the skew of MovieLens."""
    users, items = shape
    activity = np.exp(1.25 * generator.standard_normal(users))
    rank = generator.permutation(items) / items
    popularity = (rank + 0.005) ** -0.45 * np.exp(-4 * rank)
    return _draw_pairs(generator, activity, popularity, number)


def sparse_keys(
    generator: np.random.Generator, shape: tuple[int, ...], number: int
) -> NDArray[np.int64]:
    """Return cells of a wide catalogue: Zipf-like items, a long tail, most windows nearly empty."""
    users, items = shape
    activity = np.exp(1.25 * generator.standard_normal(users))
    popularity = (1.0 + generator.permutation(items)) ** -0.8
    return _draw_pairs(generator, activity, popularity, number)


def _draw_pairs(
    generator: np.random.Generator,
    activity: NDArray[np.floating[Any]],
    popularity: NDArray[np.floating[Any]],
    number: int,
) -> NDArray[np.int64]:
    rows, columns = np.cumsum(activity), np.cumsum(popularity)
    keys = np.empty(0, np.int64)
    while len(keys) < number:
        more = 2 * (number - len(keys)) + 16
        row, column = (
            np.searchsorted(ends, generator.random(more) * ends[-1], side="right")
            for ends in (rows, columns)
        )
        keys = np.unique(np.concatenate([keys, row * len(columns) + column]))
    return keys


def surface_keys(
    generator: np.random.Generator, shape: tuple[int, ...], number: int
) -> NDArray[np.int64]:
    """Return cells on the shells of spheres in a cube, as a scan of objects fills them."""
    size = shape[0]
    keys = np.empty(0, np.int64)
    while len(keys) < number:
        radius = generator.uniform(size / 16, size / 5)
        centre = generator.uniform(radius + 1, size - radius - 1, size=3)
        # Eight points per cell of the shell leave few holes in it.
        points = generator.standard_normal((int(8 * 4 * np.pi * radius**2), 3))
        points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
        cells = (points + centre).astype(np.int64)
        keys = np.unique(np.concatenate([keys, np.ravel_multi_index(tuple(cells.T), shape)]))
    return keys


def grown_user_item(number: int) -> Cells:
    """Return a user-item grid of any number of cells, as dense as `user-item 1M`.

    Args:
        number: Active cells.

    Returns:
        The cells.
    """
    scale = (number / 1_000_000) ** 0.5
    shape = (round(6_040 * scale) + 1, round(3_706 * scale) + 1)
    return Cells(f"user-item {number:,}", shape, number, user_item_keys)


USER_ITEM_100K = Cells("user-item 100k", (943, 1_682), 100_000, user_item_keys)
USER_ITEM_1M = Cells("user-item 1M", (6_040, 3_706), 1_000_000, user_item_keys)
SPARSE_1M = Cells("sparse 1M", (100_000, 50_000), 1_000_000, sparse_keys)
VOXELS_150K = Cells("voxels 150k", (256, 256, 256), 150_000, surface_keys)
SMALL = (
    Cells("small, 2 axes", (200, 300), 12_000, user_item_keys),
    Cells("small, 3 axes", (32, 32, 32), 6_000, surface_keys),
)

CASES = (
    *(Case(USER_ITEM_100K, channels) for channels in (16, 32, 64)),
    *(Case(USER_ITEM_1M, channels) for channels in (16, 32, 64)),
    *(Case(SPARSE_1M, channels) for channels in (32, 64)),
    *(Case(VOXELS_150K, channels) for channels in (32, 64)),
)
