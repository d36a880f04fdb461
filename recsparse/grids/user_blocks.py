"""Grids by blocks of users: what training streams from rows that need not fit into memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from recsparse.datasets.indexed_rows import INDEXED_SCHEMA, ITEM_INDEX
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.schema import TIMESTAMP
from recsparse.errors import InputError
from recsparse.grids.block_cells import BlockRows, MergedCells, cell_features, columns_of
from recsparse.grids.grid_spec import GridAxis, GridSpec, GridStatistics
from recsparse.grids.rows_by_user import RowsByUser
from recsparse.sparse.coords import check_sizes
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor


@dataclass(frozen=True, eq=False)
class GridBlock:
    """The grid of some users.

    Attributes:
        users: int64, the index of the user at each place of the user axis, or of each sample.
        tensor: The cells.
        left_out: Rows of these users that have no place on the axes: items without training rows,
            times unknown or outside of the training's, or older than the position axis is long.
    """

    users: np.ndarray
    tensor: SparseTensor
    left_out: int


def grid_blocks(
    rows: pa.Table,
    spec: GridSpec,
    statistics: GridStatistics,
    user_order: AxisOrder | None = None,
    item_order: AxisOrder | None = None,
    seed: int | None = None,
) -> Iterator[GridBlock]:
    """Return the grids of all users, `spec.block_users` neighbours in their order at a time.

    With `user` among the axes a block is one sample, whose last rows stay empty where the users
    are fewer; without, each user is a sample of the block's batch. Rows that fall into the same
    cell are merged, see `GridSpec`. Users without rows have empty rows, or empty samples; users
    past the training ones, if there are any in `rows`, follow by their index.

    Rows are read from a memory-mapped file block by block; 8 bytes per user stay in memory.

    Args:
        rows: A part of a dataset: columns `user_index`, `item_index`, `weight`, `timestamp`,
            `rating`, sorted by user, then time.
        spec: Axes and channels.
        statistics: Of the training part.
        user_order: The places of the training users; without one, their indices.
        item_order: The places of the items; without one, their indices.
        seed: Of the order of the blocks; None for the order of the users.

    Returns:
        An iterator over the blocks; every user is in exactly one.

    Raises:
        InputError: If a column is missing, the rows are not sorted by user, an order is of another
            length, times are needed and unknown, or the grid has too many cells to count.

    Example:
        >>> rows = {"user_index": [0, 0, 1], "item_index": [2, 0, 1], "weight": [1.0, 2.0, 3.0]}
        >>> rows |= {"timestamp": [5, 7, 6], "rating": [None, 4.0, 2.0]}
        >>> table = pa.table(rows, schema=INDEXED_SCHEMA)
        >>> statistics = GridStatistics.of(table, num_users=2, num_items=3)
        >>> block = next(grid_blocks(table, GridSpec(block_users=2), statistics))
        >>> block.tensor.to_dense().tolist()
        [[[[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]]]
    """
    missing = [name for name in INDEXED_SCHEMA.names if name not in rows.column_names]
    if missing:
        raise InputError(
            f"rows must have the columns {', '.join(INDEXED_SCHEMA.names)}, but have no "
            f"{', '.join(missing)}"
        )
    num_users, num_items = len(statistics.user_activity), len(statistics.item_popularity)
    _check_order("user_order", user_order, num_users)
    _check_order("item_order", item_order, num_items)
    check_sizes(statistics.axis_sizes(spec), 1 if "user" in spec.axes else spec.block_users)
    by_user = RowsByUser.of(rows, num_users, columns_of(spec))
    index = np.arange(by_user.num_users)
    if user_order is not None:
        index[:num_users] = user_order.index
    starts = np.arange(0, len(index), spec.block_users)
    if seed is not None:
        starts = np.random.default_rng(seed).permutation(starts)
    item_rank = None if item_order is None else item_order.rank
    blocks = _Blocks(by_user, spec, statistics, item_rank)
    return (blocks.block(index[start : start + spec.block_users]) for start in starts)


def _check_order(name: str, order: AxisOrder | None, size: int) -> None:
    if order is not None and len(order) != size:
        raise InputError(f"{name} must have one rank for each of {size}, but has {len(order)}")


@dataclass(frozen=True, eq=False)
class _Blocks:
    by_user: RowsByUser
    spec: GridSpec
    statistics: GridStatistics
    item_rank: np.ndarray | None

    def block(self, users: np.ndarray) -> GridBlock:
        """Return the block of some users."""
        table, user = self.by_user.take(users)
        rows = BlockRows.of(table, user, users[user])
        num_rows = len(user)
        rows = rows.take(self._on_the_axes(rows))
        if "position" in self.spec.axes:
            rows = rows.take(rows.number_from_end() < self.spec.num_positions)
        sizes = self.statistics.axis_sizes(self.spec)
        is_axis = "user" in self.spec.axes
        sample = np.zeros(len(rows.place), np.int64) if is_axis else rows.place
        cells = MergedCells.of(sample, [self._place(rows, axis) for axis in self.spec.axes], sizes)
        grid = Grid(
            torch.from_numpy(cells.coords), sizes, 1 if is_axis else len(users), trusted=True
        )
        feats = torch.from_numpy(cell_features(rows, cells, self.spec.features, self.statistics))
        return GridBlock(users, SparseTensor(grid, feats), num_rows - len(rows.place))

    def _on_the_axes(self, rows: BlockRows) -> np.ndarray:
        """Return which rows have an item and a time that are on the axes."""
        kept = np.ones(len(rows.place), dtype=bool)
        if "item" in self.spec.axes:
            kept &= rows.columns[ITEM_INDEX] < len(self.statistics.item_popularity)
        if "time" in self.spec.axes:
            time, (first, last) = rows.columns[TIMESTAMP], self.statistics.time_range()
            kept &= (time >= first) & (time <= last)
        return kept

    def _place(self, rows: BlockRows, axis: GridAxis) -> np.ndarray:
        if axis == "user":
            return rows.place
        if axis == "item":
            item = rows.columns[ITEM_INDEX]
            return item if self.item_rank is None else self.item_rank[item]
        if axis == "time":
            first, _ = self.statistics.time_range()
            return (rows.columns[TIMESTAMP] - first) // self.spec.bucket_seconds
        return self.spec.num_positions - 1 - rows.number_from_end()
