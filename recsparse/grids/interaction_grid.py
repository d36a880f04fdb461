"""Interactions as cells of a user × item grid."""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.errors import InputError
from recsparse.sparse.tensor import SparseTensor


def interactions_to_grid(
    matrix: csr_matrix, user_order: AxisOrder | None = None, item_order: AxisOrder | None = None
) -> SparseTensor:
    """Return one sample with one channel: the weight of each interaction, at its place.

    Args:
        matrix: Users × items; duplicates are summed, stored zeros stay active cells.
        user_order: The place of each user on the first axis; without one, its index.
        item_order: The place of each item on the second axis; without one, its index.

    Returns:
        A tensor of spatial shape (users, items).

    Raises:
        InputError: If an order is not as long as its axis.

    Example:
        >>> reverse = AxisOrder(np.array([1, 0]))
        >>> interactions_to_grid(csr_matrix([[5.0, 0.0], [0.0, 7.0]]), reverse).coords.tolist()
        [[0, 0, 1], [0, 1, 0]]
    """
    coo = matrix.tocoo()
    row = _place(coo.row, user_order, matrix.shape[0], "user_order")
    column = _place(coo.col, item_order, matrix.shape[1], "item_order")
    return SparseTensor.from_scipy(coo_matrix((coo.data, (row, column)), shape=matrix.shape))


def locality(x: SparseTensor, window: int = 3) -> float:
    """Return the mean number of active cells that a cell meets in the window around it.

    The cell itself does not count. An order is good for a windowed convolution where this is high:
    compare with the same cells in a random order.

    Args:
        x: Any sparse tensor.
        window: Odd size of the window on each axis.

    Returns:
        From 0 to `window ** axes - 1`; NaN where there is no cell.

    Raises:
        InputError: If the window is even or not positive.

    Example:
        >>> locality(interactions_to_grid(csr_matrix(np.ones((2, 2)))))
        3.0
    """
    axes = len(x.spatial_shape)
    kernel_map = x.grid.submanifold_map((window,) * axes, (1,) * axes)
    if kernel_map.num_out == 0:
        return float("nan")
    return kernel_map.num_pairs / kernel_map.num_out - 1


def _place(index: np.ndarray, order: AxisOrder | None, size: int, name: str) -> np.ndarray:
    if order is None:
        return index
    if len(order) != size:
        raise InputError(f"{name} must have one rank for each of {size}, but has {len(order)}")
    placed: np.ndarray = order.rank[index]
    return placed
