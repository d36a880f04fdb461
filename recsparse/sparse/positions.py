"""The two readings of a time axis: time itself, and the position in the line's own sequence.

On a grid (user, time) a line is a user's cells. To read them by position, each is moved to its rank
among them, so that a window sees the last events however long ago they were; read by time, it sees
the last days, however many events they hold.
"""

from recsparse.errors import InputError
from recsparse.sparse.tensor import SparseTensor


def to_positions(x: SparseTensor, axis: int = -1) -> SparseTensor:
    """Return the same cells, each moved along an axis to its rank among the active cells there.

    The rank counts from 0, the lowest coordinate first. The shape stays, so that batches with
    lines of other lengths still fit together. Tensors on one grid get one grid of positions, whose
    kernel maps they share.

    Args:
        x: A tensor.
        axis: The axis to count along, from 0, or from -1 for the last one.

    Returns:
        A tensor with the features of `x`, in the same order of rows where `axis` is the last.

    Raises:
        InputError: If there is no such axis.

    Example:
        >>> import torch
        >>> dense = torch.tensor([[0.0, 5.0, 0.0, 6.0], [7.0, 0.0, 0.0, 8.0]])
        >>> x = SparseTensor.from_dense(dense[None, None])
        >>> to_positions(x).to_dense()[0, 0].tolist()
        [[5.0, 6.0, 0.0, 0.0], [7.0, 8.0, 0.0, 0.0]]
    """
    grid, order = x.grid.position_grid(_from_zero(x, axis))
    return SparseTensor(grid, x.feats if order is None else x.feats.index_select(0, order))


def from_positions(y: SparseTensor, like: SparseTensor, axis: int = -1) -> SparseTensor:
    """Return the features of positions at the coordinates from which they came.

    Args:
        y: A tensor on the cells of `to_positions(like, axis)`, with any channels.
        like: The tensor that gives the cells; its features are not read.
        axis: The axis that was counted along.

    Returns:
        A tensor on the grid of `like`.

    Raises:
        InputError: If there is no such axis, or `y` is on other cells.

    Example:
        >>> import torch
        >>> x = SparseTensor.from_dense(torch.tensor([[[[0.0, 5.0, 0.0, 6.0]]]]))
        >>> from_positions(to_positions(x), x).to_dense()[0, 0].tolist()
        [[0.0, 5.0, 0.0, 6.0]]
    """
    grid, order = like.grid.position_grid(_from_zero(like, axis))
    if not grid.same_cells(y.grid):
        raise InputError(
            f"from_positions needs a tensor on the cells of to_positions(like, axis={axis}), but "
            f"got {y.grid!r} for {like.grid!r}"
        )
    return like.with_feats(y.feats if order is None else y.feats.index_select(0, order.argsort()))


def _from_zero(x: SparseTensor, axis: int) -> int:
    num_axes = len(x.spatial_shape)
    if not -num_axes <= axis < num_axes:
        raise InputError(f"axis must be from {-num_axes} to {num_axes - 1}, but got {axis}")
    return axis % num_axes
