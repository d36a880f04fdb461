"""The picture of a dataset's training grid, by id and in the dataset's orders."""

import numpy as np
from matplotlib.figure import Figure
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.profiling.counts import indexed_blocks
from recsparse.grids.grid_plot import plot_grids
from recsparse.grids.interaction_grid import interactions_to_grid


def grid_picture(data: Dataset, most_rows: int = 1_000_000) -> Figure:
    """Draw the training rows before and after ordering, with the locality of both.

    Args:
        data: The dataset.
        most_rows: Of a larger one, the users of the first places are drawn who have this many rows
            together, all of them on all items.

    Returns:
        A figure with two panels.
    """
    users = _first_users(data, most_rows)
    matrix = _rows_of(data, users)
    # Places among the users drawn.
    order = AxisOrder(np.argsort(np.argsort(data.user_order.rank[users])))
    shown = "" if len(users) == len(data.users) else f", {len(users):,} users"
    return plot_grids(
        {
            f"by id{shown}": interactions_to_grid(matrix),
            f"in order{shown}": interactions_to_grid(matrix, order, data.item_order),
        }
    )


def _first_users(data: Dataset, most_rows: int) -> np.ndarray:
    rows_of_user = np.zeros(len(data.users), dtype=np.int64)
    for rows in indexed_blocks(data.split.train):
        rows_of_user += np.bincount(rows.user, minlength=len(rows_of_user))
    placed = data.user_order.index
    number = np.searchsorted(np.cumsum(rows_of_user[placed]), most_rows, side="right")
    return np.sort(placed[: max(int(number), 1)])


def _rows_of(data: Dataset, users: np.ndarray) -> csr_matrix:
    row_of = np.full(len(data.users), -1, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    row, item, weight = [], [], []
    for rows in indexed_blocks(data.split.train):
        kept = row_of[rows.user] >= 0
        row.append(row_of[rows.user[kept]])
        item.append(rows.item[kept])
        weight.append(rows.weight[kept])
    coords = np.concatenate(row), np.concatenate(item)
    shape = len(users), len(data.items)
    return coo_matrix((np.concatenate(weight), coords), shape=shape).tocsr()
