"""Rows of one block become cells: rows that fall together are merged, channel by channel."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsparse.config.units import SECONDS_A_DAY
from recsparse.datasets.indexed_rows import ITEM_INDEX, NO_TIME, USER_INDEX
from recsparse.datasets.schema import RATING, TIMESTAMP, WEIGHT
from recsparse.grids.grid_spec import GridFeature, GridSpec, GridStatistics


def columns_of(spec: GridSpec) -> list[str]:
    """Return the columns that a grid is made of; the pages of others are never read.

    Args:
        spec: Axes and channels.

    Returns:
        At least one name.
    """
    wanted = {
        ITEM_INDEX: "item" in spec.axes or "item_popularity" in spec.features,
        WEIGHT: "weight" in spec.features,
        TIMESTAMP: spec.needs_times,
        RATING: "rating" in spec.features,
    }
    return [name for name, is_wanted in wanted.items() if is_wanted] or [USER_INDEX]


@dataclass(frozen=True, eq=False)
class BlockRows:
    """The rows of a block's users, each user's together and by time.

    Attributes:
        place: int64, the place of the row's user in the block.
        user: int64, the index of the row's user.
        columns: Arrays by name; `NO_TIME` and NaN where time and rating are unknown.
    """

    place: np.ndarray
    user: np.ndarray
    columns: dict[str, np.ndarray]

    @classmethod
    def of(cls, table: pa.Table, place: np.ndarray, user: np.ndarray) -> "BlockRows":
        """Bring rows into memory.

        Args:
            table: Some columns of the rows.
            place: The place of each row's user.
            user: The index of each row's user.

        Returns:
            The rows.
        """
        unknown = {TIMESTAMP: NO_TIME, RATING: float("nan")}
        columns = {
            name: (table[name].fill_null(unknown[name]) if name in unknown else table[name])
            for name in table.column_names
        }
        return cls(place, user, {name: column.to_numpy() for name, column in columns.items()})

    def take(self, kept: np.ndarray) -> "BlockRows":
        """Return some of the rows.

        Args:
            kept: A mask.

        Returns:
            Those for which it is true; the rows themselves if it always is.
        """
        if kept.all():
            return self
        columns = {name: column[kept] for name, column in self.columns.items()}
        return BlockRows(self.place[kept], self.user[kept], columns)

    def number_from_end(self) -> np.ndarray:
        """Return the number of each row among its user's, the last one's being 0."""
        ends = np.flatnonzero(np.append(self.place[1:] != self.place[:-1], True))
        ends = ends[: len(self.place)]
        return np.repeat(ends, np.diff(ends, prepend=-1)) - np.arange(len(self.place))


@dataclass(frozen=True, eq=False)
class MergedCells:
    """The cells that rows fall into, sorted and without repetition.

    Attributes:
        coords: int64, one row per cell: the sample, then one coordinate per axis.
        order: The rows by cell, those of one cell as they came.
        start: Where, in this order, the rows of each cell begin.
    """

    coords: np.ndarray
    order: np.ndarray
    start: np.ndarray

    @classmethod
    def of(
        cls, sample: np.ndarray, places: list[np.ndarray], sizes: tuple[int, ...]
    ) -> "MergedCells":
        """Sort rows into cells.

        Args:
            sample: The sample of each row.
            places: The place of each row on each axis.
            sizes: Size of each axis; with the samples they multiply to less than 2^63.

        Returns:
            The cells.
        """
        key = sample.astype(np.int64)
        for place, size in zip(places, sizes, strict=True):
            key = key * size + place
        # Stable, so that sums have the same bits with any processor's sort.
        order = np.argsort(key, kind="stable")
        key = key[order]
        begins = np.ones(len(key), dtype=bool)
        np.not_equal(key[1:], key[:-1], out=begins[1:])
        start = np.flatnonzero(begins)
        first = order[start]
        coords = np.empty((len(start), 1 + len(places)), dtype=np.int64)
        for number, column in enumerate([sample, *places]):
            coords[:, number] = column[first]
        return cls(coords, order, start)

    @property
    def count(self) -> np.ndarray:
        """Rows of each cell."""
        return np.diff(self.start, append=len(self.order))

    def merge(self, values: np.ndarray, how: np.ufunc = np.add) -> np.ndarray:
        """Merge a number of each row.

        Args:
            values: One number per row.
            how: Merges two numbers.

        Returns:
            float64, one number per cell.
        """
        ordered = values[self.order].astype(np.float64)
        if len(self.start) == len(ordered):
            return ordered
        merged: np.ndarray = how.reduceat(ordered, self.start)
        return merged


def cell_features(
    rows: BlockRows,
    cells: MergedCells,
    features: tuple[GridFeature, ...],
    statistics: GridStatistics,
) -> np.ndarray:
    """Return the channels of the cells.

    Args:
        rows: The rows.
        cells: Where they fall.
        features: The channels, see `GridSpec`.
        statistics: Of the training part.

    Returns:
        float32, one row per cell and one column per channel.
    """
    feats = np.empty((len(cells.start), len(features)), dtype=np.float32)
    for number, feature in enumerate(features):
        feats[:, number] = _feature(feature, rows, cells, statistics)
    return feats


def _feature(
    feature: GridFeature, rows: BlockRows, cells: MergedCells, statistics: GridStatistics
) -> np.ndarray:
    if feature == "weight":
        return cells.merge(rows.columns[WEIGHT])
    if feature == "count":
        return cells.count
    if feature == "rating":
        rating = rows.columns[RATING]
        num_known = cells.merge(~np.isnan(rating))
        return cells.merge(np.nan_to_num(rating)) / np.maximum(num_known, 1)
    if feature == "recency":
        time, (first, last) = rows.columns[TIMESTAMP], statistics.time_range()
        age = last - np.where(time == NO_TIME, first, time)
        return cells.merge(age, np.minimum) / SECONDS_A_DAY
    if feature == "item_popularity":
        popularity = _count_of(statistics.item_popularity, rows.columns[ITEM_INDEX])
        return cells.merge(popularity) / cells.count
    # A cell has rows of one user alone, whatever the axes.
    user = rows.user[cells.order[cells.start]]
    return _count_of(statistics.user_activity, user)


def _count_of(counts: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the training rows of each, 0 for those past the training vocabulary."""
    known = index < len(counts)
    found = np.zeros(len(index), dtype=np.int64)
    found[known] = counts[index[known]]
    return found
