"""Cells that occur more than once, and what becomes of them."""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from recsparse.errors import InputError
from recsparse.sparse.coords import check_coords, check_feats, sort_cells
from recsparse.sparse.scatter import scatter_max, scatter_mean, scatter_sum

DuplicateRule = Literal["sum", "mean", "max", "first"]
_REDUCERS = {"sum": scatter_sum, "mean": scatter_mean, "max": scatter_max}


def coalesce(
    coords: Int[Tensor, "n d_1"],
    feats: Float[Tensor, "n c"],
    spatial_shape: Sequence[int],
    reduce: DuplicateRule = "sum",
) -> tuple[Int[Tensor, "m d_1"], Float[Tensor, "m c"]]:
    """Sort cells and make one of those that occur more than once.

    Args:
        coords: One row per cell, repetitions allowed.
        feats: The features of each row.
        spatial_shape: Size of each axis.
        reduce: What a repeated cell gets, channel by channel: the `sum`, `mean` or `max` of its
            rows, or the row that comes `first`. NaN makes the first three NaN.

    Returns:
        Each cell once, in the order of its key, and its features.

    Raises:
        InputError: If a coordinate is negative or not below the size of its axis, or `reduce` is
            unknown.

    Example:
        >>> import torch
        >>> coords, feats = torch.tensor([[0, 1], [0, 0], [0, 1]]), torch.ones(3, 1)
        >>> cells, summed = coalesce(coords, feats, (2,))
        >>> cells.tolist(), summed.tolist()
        ([[0, 0], [0, 1]], [[1.0], [2.0]])
    """
    if reduce not in (*_REDUCERS, "first"):
        known = ", ".join([*_REDUCERS, "first"])
        raise InputError(f"reduce must be one of {known}, but got {reduce!r}")
    # A coordinate past its axis would have the key of another cell and be merged with that one.
    num_samples = int(coords[:, 0].max().clamp(min=0)) + 1 if len(coords) else 0
    check_coords(coords, spatial_shape, num_samples)
    check_feats(feats, coords)
    order, starts = sort_cells(coords, spatial_shape)
    firsts = order[starts]
    cells = coords.index_select(0, firsts).long()
    if reduce == "first" or len(firsts) == len(order):
        return cells, feats.index_select(0, firsts)
    cell = starts.cumsum(0) - 1
    return cells, _REDUCERS[reduce](feats.index_select(0, order), cell, len(cells))
