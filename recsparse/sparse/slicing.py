"""Parts of a grid: boxes of cells, and samples of a batch."""

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from recsparse.errors import InputError, InputTypeError
from recsparse.sparse.grid import Grid

Key = slice | EllipsisType | tuple[slice | EllipsisType, ...]


def slices_of(key: Any, num_dims: int) -> list[slice]:
    """Return one slice a dimension, as indexing a dense tensor with the key would use.

    Args:
        key: What stands between the brackets.
        num_dims: Number of dimensions.

    Returns:
        The slices; whole where the key says nothing.

    Raises:
        InputTypeError: If a part of the key is neither a slice nor `...`.
        InputError: If there are too many parts, or a step is not positive.

    Example:
        >>> slices_of((..., slice(2)), 3)
        [slice(None, None, None), slice(None, None, None), slice(None, 2, None)]
    """
    parts = key if isinstance(key, tuple) else (key,)
    for part in parts:
        if not isinstance(part, slice | EllipsisType):
            raise InputTypeError(
                "a sparse tensor takes slices of (batch, channels, *spatial_shape), but got "
                f"{part!r}; keep the dimension, as x[3:4], or use x.samples for a list of samples"
            )
        if isinstance(part, slice) and part.step is not None and part.step < 1:
            raise InputError(f"the step of a slice must be positive, but got {part.step}")
    place = next((i for i, part in enumerate(parts) if part is ...), len(parts))
    before, after = parts[:place], parts[place + 1 :]
    if ... in after or len(before) + len(after) > num_dims:
        raise InputError(
            f"a key must have at most one ... and one slice for each of {num_dims} dimensions "
            f"(batch, channels, *spatial_shape), but got {key!r}"
        )
    return [*before, *[slice(None)] * (num_dims - len(before) - len(after)), *after]


def sliced(grid: Grid, slices: Sequence[slice]) -> tuple[Grid, Int[Tensor, " m"] | None]:
    """Return the cells in a box, with coordinates counted from its corner.

    Args:
        grid: A grid.
        slices: One for the samples, then one per axis; steps are positive.

    Returns:
        A grid of the shape of the box, and the row of each of its cells; the grid itself and None
        where the box is everything.

    Example:
        >>> grid = Grid(torch.tensor([[0, 1], [0, 3]]), (4,), 1)
        >>> box, rows = sliced(grid, [slice(None), slice(2, 4)])
        >>> box.coords.tolist(), box.spatial_shape, rows.tolist()
        ([[0, 1]], (2,), [1])
    """
    limits = [grid.batch_size, *grid.spatial_shape]
    places = [range(size)[part] for size, part in zip(limits, slices, strict=True)]
    if [len(place) for place in places] == limits:
        return grid, None
    device = grid.coords.device
    start, stop, step = (
        torch.tensor([getattr(place, name) for place in places], device=device)
        for name in ("start", "stop", "step")
    )
    moved = grid.coords - start
    inside = (moved >= 0) & (grid.coords < stop) & (moved % step == 0)
    rows = inside.all(dim=1).nonzero().flatten()
    cells = (moved // step).index_select(0, rows)
    batch_size, *shape = (len(place) for place in places)
    return Grid(cells, tuple(shape), batch_size, trusted=True), rows


def sampled(grid: Grid, index: Int[Tensor, " b"]) -> tuple[Grid, Int[Tensor, " m"]]:
    """Return samples of a batch in a given order, repetitions allowed.

    Args:
        grid: A grid.
        index: The samples.

    Returns:
        A grid of as many samples as the index has, and the row of each of its cells.

    Raises:
        InputTypeError: If the index is no tensor of 64-bit integers.
        InputError: If there is no such sample.

    Example:
        >>> grid = Grid(torch.tensor([[0, 1], [1, 3]]), (4,), 2)
        >>> chosen, rows = sampled(grid, torch.tensor([1, 1]))
        >>> chosen.coords.tolist(), rows.tolist()
        ([[0, 3], [1, 3]], [1, 1])
    """
    if not isinstance(index, Tensor) or index.dtype != torch.int64:
        found = index.dtype if isinstance(index, Tensor) else type(index).__name__
        raise InputTypeError(
            f"samples must be given by a tensor of 64-bit integers, but got {found}; mend it by "
            "torch.tensor(samples), or mask.nonzero().flatten()"
        )
    wrong = ((index < 0) | (index >= grid.batch_size)).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0])
        raise InputError(
            f"samples must be from 0 to {grid.batch_size - 1}, but {len(wrong)} of {len(index)} "
            f"are not; the first is index[{first}] = {int(index[first])}"
        )
    bounds = torch.arange(grid.batch_size + 1, device=index.device)
    ptr = torch.searchsorted(grid.coords[:, 0].contiguous(), bounds)
    lengths = ptr.diff()[index]
    sample = torch.arange(len(index), device=index.device).repeat_interleave(lengths)
    # Row r of a sample that starts at row s there and at row t here comes from row r - t + s.
    shift = ptr[index] - (lengths.cumsum(0) - lengths)
    rows = torch.arange(len(sample), device=index.device) + shift[sample]
    cells = torch.cat([sample.unsqueeze(1), grid.coords.index_select(0, rows)[:, 1:]], dim=1)
    return Grid(cells, grid.spatial_shape, len(index), trusted=True), rows
