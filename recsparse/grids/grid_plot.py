"""Pictures of grids: what an order does to them."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from recsparse.errors import InputError
from recsparse.grids.interaction_grid import locality
from recsparse.sparse.tensor import SparseTensor

# Squares of a picture along an axis; a panel is hardly wider in pixels.
MOST_SQUARES = 200


def plot_grids(grids: Mapping[str, SparseTensor]) -> Figure:
    """Draw how densely grids are filled, for instance before and after ordering.

    Longer axes are divided into `MOST_SQUARES` nearly equal ranges. All panels share one scale of
    colours, on which low shares are spread, since most squares are nearly empty.

    Args:
        grids: Grids of two axes, users and items, by the title of their panel.

    Returns:
        A figure with one panel a grid; the title ends with the grid's `locality`.

    Raises:
        InputError: If there is no grid, or one of them has not two axes.
    """
    if not grids:
        raise InputError("plot_grids needs at least one grid, but got none")
    shares = {title: active_shares(x) for title, x in grids.items()}
    highest = max((float(share.max(initial=0)) for share in shares.values()), default=0) or 1.0
    norm = PowerNorm(0.5, vmin=0, vmax=highest)
    figure = Figure(figsize=(3.6 * len(grids) + 0.8, 3.8), layout="constrained")
    panels = figure.subplots(1, len(grids), squeeze=False)[0]
    for panel, (title, share) in zip(panels, shares.items(), strict=True):
        num_users, num_items = grids[title].spatial_shape
        # Without squares there is nothing to stretch over the panel.
        extent = (0, max(num_items, 1), max(num_users, 1), 0)
        image = panel.imshow(
            share if share.size else np.zeros((1, 1)),
            norm=norm, cmap="magma_r", aspect="auto", interpolation="nearest", extent=extent,
        )  # fmt: skip
        panel.set_title(f"{title}\nlocality {locality(grids[title]):.3f}", fontsize=10)
        panel.set_xlabel("place of the item")
    panels[0].set_ylabel("place of the user")
    figure.colorbar(image, ax=list(panels), label="share of active cells")
    return figure


def active_shares(x: SparseTensor) -> np.ndarray:
    """Return the share of cells that are active in each square of a grid.

    Args:
        x: One sample with two axes.

    Returns:
        float64, at most `MOST_SQUARES` × `MOST_SQUARES`; the squares are nearly of one size.

    Raises:
        InputError: If `x` has several samples, or not two axes.

    Example:
        >>> import torch
        >>> active_shares(SparseTensor.from_dense(torch.eye(2)[None, None])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if len(x.spatial_shape) != 2 or x.batch_size != 1:
        raise InputError(
            "a picture needs one sample with two axes, but got batch_size "
            f"{x.batch_size} and spatial_shape {x.spatial_shape}"
        )
    rows, columns = (_square_of_place(size) for size in x.spatial_shape)
    shape = int(rows.max(initial=-1)) + 1, int(columns.max(initial=-1)) + 1
    coords = x.coords.cpu().numpy()
    square = rows[coords[:, 1]] * shape[1] + columns[coords[:, 2]]
    active = np.bincount(square, minlength=shape[0] * shape[1]).reshape(shape)
    shares: np.ndarray = active / np.outer(np.bincount(rows), np.bincount(columns))
    return shares


def _square_of_place(size: int) -> np.ndarray:
    return np.arange(size) * min(size, MOST_SQUARES) // max(size, 1)
