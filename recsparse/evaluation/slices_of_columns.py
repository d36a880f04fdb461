"""Slices by the columns of the tables of users and items: categories, and quarters of numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsparse.config.slice_names import COLUMNS, OF_ITEMS, OF_USERS
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.errors import InputError, nearest
from recsparse.evaluation.slices import Slice
from recsparse.reporting.value_text import value_text

Mask = NDArray[np.bool_]

_MOST_CATEGORIES, _NUMBER_BINS = 8, 4


def slices_of_columns(data: Dataset, part: WholePart, wanted: str) -> Sequence[Slice]:
    """Return the slices of one column, or of all columns.

    Of a column of categories, the most frequent ones are slices, each by itself; of a column of
    numbers, quarters between its quantiles. Frequent are those of many evaluated users, or of items
    that are targets of many.

    Args:
        data: The dataset.
        part: What is evaluated of it.
        wanted: `users.COLUMN`, `items.COLUMN`, or `columns` for all.

    Returns:
        The slices; none of a column with one category or one number.

    Raises:
        InputError: If the dataset has no such column of categories or numbers.
    """
    columns = {each.name: each for each in _columns(data, part)}
    if wanted == COLUMNS:
        return [some for column in columns.values() for some in column.slices()]
    if wanted not in columns:
        known = f"; {nearest(wanted, columns)}" if columns else ", and the dataset has none"
        raise InputError(
            f"evaluation.slices must name columns of the tables of users and items that were "
            f"prepared as features.categories or numbers, but {wanted} is none{known}; prepare the "
            "dataset with it, or leave it out"
        )
    return [*columns[wanted].slices()]


def user_index_of(data: Dataset, part: WholePart) -> NDArray[np.int64]:
    """Return the index in the dataset of each user of a part.

    Args:
        data: The dataset.
        part: Some of its users.

    Returns:
        Indices; those of users without training rows follow the others.
    """
    return data.users.followed_by(data.unseen_users).index_of(part.user_ids)


@dataclass(frozen=True, eq=False)
class _Column:
    """A column of one table, of the users or items that are evaluated.

    Attributes:
        prefix: `users.` or `items.`.
        column: Its name.
        size: How many users have each user or item as a target.
        values: One per user or item, NaN where missing; or which categories it is in.
    """

    prefix: str
    column: str
    size: NDArray[np.int64]
    values: NDArray[np.float64] | dict[str, Mask]

    @property
    def name(self) -> str:
        return self.prefix + self.column

    def slices(self) -> Iterator[Slice]:
        masks = self.values if isinstance(self.values, dict) else self._quarters(self.values)
        sizes = {name: int(self.size[mask].sum()) for name, mask in masks.items()}
        kept = sorted((name for name in masks if sizes[name]), key=lambda name: -sizes[name])
        if len(kept) < 2:
            return
        chosen = {*kept[:_MOST_CATEGORIES]}
        for name in filter(chosen.__contains__, masks):
            of_users = self.prefix == OF_USERS
            users, items = (masks[name], None) if of_users else (None, masks[name])
            yield Slice(name, self.column, users, items)

    def _quarters(self, values: NDArray[np.float64]) -> dict[str, Mask]:
        known = ~np.isnan(values) & (self.size > 0)
        if not known.any():
            return {}
        shares = np.arange(1, _NUMBER_BINS) / _NUMBER_BINS
        edges = np.unique(np.quantile(values[known], shares, method="higher"))
        place = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))
        masks = {}
        for bin_place in np.unique(place[known]):
            inside = values[known & (place == bin_place)]
            first, last = value_text(float(inside.min())), value_text(float(inside.max()))
            span = first if first == last else f"{first} to {last}"
            masks[f"{self.column} {span}"] = place == bin_place
        return masks


def _columns(data: Dataset, part: WholePart) -> Iterator[_Column]:
    users, items = user_index_of(data, part), np.arange(len(part.items))
    sizes = np.ones(len(users), dtype=np.int64), part.target_rows.getnnz(axis=0)
    yield from _columns_of(OF_USERS, data.user_side, users, sizes[0])
    yield from _columns_of(OF_ITEMS, data.item_side, items, sizes[1])


def _columns_of(
    prefix: str, side: SideFeatures, index: NDArray[np.int64], size: NDArray[np.int64]
) -> Iterator[_Column]:
    if side.categories is not None:
        cells = side.categories.cells[index].tocsc()
        of_column: dict[str, dict[str, Mask]] = {}
        for place, name in enumerate(side.categories.names):
            mask = np.zeros(len(index), dtype=bool)
            mask[cells[:, place].indices] = True
            of_column.setdefault(name.partition("=")[0], {})[name] = mask
        for column, masks in of_column.items():
            yield _Column(prefix, column, size, masks)
    if side.numbers is not None:
        numbers = side.numbers
        for place, column in enumerate(numbers.columns):
            values = numbers.values[index, place].astype(np.float64)
            values = values * numbers.scale[place] + numbers.mean[place]
            gap = f"{column} is missing"
            if gap in numbers.names:
                missing = numbers.values[index, numbers.names.index(gap)] > 0
                values = np.where(missing, np.nan, values)
            yield _Column(prefix, column, size, values)
