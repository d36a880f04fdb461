"""Concatenation of sparse tensors along any dimension of their dense counterparts."""

from collections.abc import Sequence
from functools import reduce

import torch

from recsparse.errors import InputError
from recsparse.sparse.coords import check_sizes, ravel_coords
from recsparse.sparse.grid import Grid
from recsparse.sparse.sets import union
from recsparse.sparse.tensor import SparseTensor


def cat(tensors: Sequence[SparseTensor], dim: int = 0) -> SparseTensor:
    """Return tensors one after the other, as `torch.cat` of the dense ones.

    Along the channels the result is on the union of all grids, zero where a tensor is not active;
    tensors on one grid stay on it.

    Args:
        tensors: At least one; they may differ in size along `dim` alone.
        dim: Of (batch, channels, *spatial_shape): 0 puts batches together, 1 channels, 2 the
            first axis.

    Returns:
        The concatenated tensor.

    Raises:
        InputError: If there is no tensor or no such dimension, or sizes or devices differ.

    Example:
        >>> x = SparseTensor.from_dense(torch.tensor([[[1.0, 0.0, 2.0]]]))
        >>> cat([x, x], dim=2).to_dense().tolist()
        [[[1.0, 0.0, 2.0, 1.0, 0.0, 2.0]]]
    """
    _check_sizes(tensors, dim)
    if dim == 1:
        return _cat_channels(tensors)
    column = 0 if dim == 0 else dim - 1
    coords, size = [], 0
    for x in tensors:
        moved = x.coords.clone()
        moved[:, column] += size
        coords.append(moved)
        size += _sizes(x)[dim]
    sizes = list(_sizes(tensors[0]))
    sizes[dim] = size
    batch_size, _, *spatial_shape = sizes
    cells, feats = torch.cat(coords), torch.cat([x.feats for x in tensors])
    if dim > 1:
        check_sizes(spatial_shape, batch_size)
        order = ravel_coords(cells, spatial_shape).argsort()
        cells, feats = cells[order], feats[order]
    return SparseTensor(Grid(cells, tuple(spatial_shape), batch_size, trusted=True), feats)


def _cat_channels(tensors: Sequence[SparseTensor]) -> SparseTensor:
    grid = reduce(union, [x.grid for x in tensors])
    return SparseTensor(grid, torch.cat([x.onto(grid).feats for x in tensors], dim=1))


def _sizes(x: SparseTensor) -> tuple[int, ...]:
    return (x.batch_size, x.num_channels, *x.spatial_shape)


def _check_sizes(tensors: Sequence[SparseTensor], dim: int) -> None:
    if len(tensors) == 0:
        raise InputError("cat needs at least one tensor, but got no tensor")
    first = _sizes(tensors[0])
    if not 0 <= dim < len(first):
        raise InputError(
            f"dim must be from 0 to {len(first) - 1}, one of (batch, channels, *spatial_shape), "
            f"but got {dim}"
        )
    for number, x in enumerate(tensors):
        sizes = _sizes(x)
        if sizes[:dim] != first[:dim] or sizes[dim + 1 :] != first[dim + 1 :]:
            raise InputError(
                f"cat along dim {dim} needs tensors of one size (batch, channels, *spatial_shape) "
                f"in every other dimension, but tensors[0] is {first} and tensors[{number}] {sizes}"
            )
        if x.feats.device != tensors[0].feats.device:
            raise InputError(
                f"cat needs tensors on one device, but tensors[0] is on {tensors[0].feats.device} "
                f"and tensors[{number}] on {x.feats.device}; move one by .to(device)"
            )
