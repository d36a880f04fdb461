"""ScoredFile: what the file of any system says of users and items, be it scores, ranks or lists."""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.datasets.id_types import ids_of
from recsparse.datasets.reading.find_files import Paths, named
from recsparse.datasets.reading.roles import Roles
from recsparse.datasets.reading.tables import open_dataset, read_columns, require_columns
from recsparse.datasets.schema import is_list, to_ids
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, SchemaError

logger = logging.getLogger(__name__)

USER, ITEM, SCORE, RANK = "user_id", "item_id", "score", "rank"
LISTS = ("items", "item_ids", ITEM)


@dataclass(frozen=True, eq=False)
class ScoredFile:
    """What a file says, a row per user and item.

    Attributes:
        where: What messages call it.
        table: Columns `user_id` and `item_id`.
        scores: Of each row, −inf where there is none.
        items: The items with a score.
    """

    where: str
    table: pa.Table
    scores: NDArray[np.float64]
    items: Vocabulary

    @classmethod
    def read(cls, scored: Paths, data: Dataset) -> "ScoredFile":
        """Read a file of scores, of ranks, or of lists.

        Args:
            scored: Files, folders, globs or addresses with `user_id` and either `item_id` and
                `score`, `item_id` and `rank`, or a list of items.
            data: The dataset.

        Returns:
            What it says; ranks and places in lists are scores, the first the highest.

        Raises:
            SchemaError: If a column is missing, or scores or ranks are no numbers.
            InputError: If ids are of another type than the dataset's, or a list names an item
                twice.
        """
        where, wanted = named(scored), data.items.ids.type
        table, scores = _read(scored, where, data)
        if len(scores) and not (scores > -np.inf).any():
            logger.warning(
                "none of the %d scores of %s is a number, so that nobody has a list",
                len(scores), where,
            )  # fmt: skip
        items = Vocabulary.fit(table[ITEM].filter(pa.array(scores > -np.inf)).drop_null())
        if len(items) and items.ids.type != wanted:
            raise InputError(
                f"item_id of {where} must be of the dataset's type, {wanted}, but is "
                f"{items.ids.type}; cast it"
            )
        return cls(where, table, scores, items)

    def has_user(self, part: WholePart) -> NDArray[np.bool_]:
        """Say of which users of a part there is a score.

        Args:
            part: The users.

        Returns:
            One truth per user.
        """
        row = Vocabulary(part.user_ids).index_of(self.table[USER])
        has = np.zeros(len(part.user_ids), dtype=bool)
        has[row[(row >= 0) & (self.scores > -np.inf)]] = True
        return has

    def matched(self, part: WholePart, items: Vocabulary) -> "Scores | None":
        """Return the scores of a part's users.

        Args:
            part: The users.
            items: What is ranked.

        Returns:
            The scores; None where no item of the dataset has any.
        """
        row = Vocabulary(part.user_ids).index_of(self.table[USER])
        item = items.index_of(self.table[ITEM])
        usable = (row >= 0) & (item >= 0)
        if not (usable & (part.items.index_of(self.table[ITEM]) >= 0)).any():
            return None
        order = np.flatnonzero(usable)[np.lexsort((item[usable], row[usable]))]
        again = (np.diff(row[order]) == 0) & (np.diff(item[order]) == 0)
        if again.any():
            logger.warning(
                "%s scores %d pairs of a user and an item again; the last score of each counts",
                self.where, int(again.sum()),
            )  # fmt: skip
        return Scores(row[order], item[order], self.scores[order])


class Scores:
    """Hands out given scores batch by batch, −inf where there is none, in the order of the rows.

    Args:
        row: Of each score, rising.
        item: Of each score.
        values: The scores.
    """

    def __init__(self, row: np.ndarray, item: np.ndarray, values: np.ndarray) -> None:
        self.row, self.item, self.values = row, item, values
        self.done = 0

    def next_batch(self, history: csr_matrix) -> torch.Tensor:
        """Return the scores of the next rows.

        Args:
            history: Of the same rows and items; its size alone counts.

        Returns:
            Rows × items, float64.
        """
        first, last = np.searchsorted(self.row, [self.done, self.done + history.shape[0]])
        scores = np.full(history.shape, -np.inf)
        scores[self.row[first:last] - self.done, self.item[first:last]] = self.values[first:last]
        self.done += history.shape[0]
        return torch.from_numpy(scores)


def _read(scored: Paths, where: str, data: Dataset) -> tuple[pa.Table, NDArray[np.float64]]:
    user_type, item_type = data.users.ids.type, data.items.ids.type
    source = open_dataset(scored, roles=Roles({USER: user_type}))
    in_lists = [name for name in LISTS if name in source.schema.names]
    in_lists = [name for name in in_lists if is_list(source.schema.field(name).type)]
    if in_lists:
        require_columns(source, where, [USER])
        return _of_lists(read_columns(source, [USER, in_lists[0]]), where, item_type)
    source = open_dataset(scored, roles=Roles({USER: user_type, ITEM: item_type}))
    names = source.schema.names
    by = RANK if RANK in names and SCORE not in names else SCORE
    require_columns(source, where, [USER, ITEM, by])
    table = read_columns(source, [USER, ITEM, by])
    values = _comparable(_numbers(table[by], by, where), where)
    table = pa.table({name: ids_of(table[name], f"{name} of {where}") for name in (USER, ITEM)})
    if by == SCORE:
        return table, values
    _require_once(table.filter(pa.array(values > -np.inf)), where)
    return table, np.where(values > -np.inf, -values, -np.inf)


def _of_lists(
    lists: pa.Table, where: str, item_type: pa.DataType
) -> tuple[pa.Table, NDArray[np.float64]]:
    users, column = ids_of(lists[USER], f"{USER} of {where}"), lists.column(1).combine_chunks()
    if users.null_count or pc.count_distinct(users).as_py() < len(users):
        counts = users.value_counts()
        most = counts[int(np.argmax(counts.field("counts").to_numpy()))]["values"].as_py()
        raise InputError(
            f"{where} must have one list for each user, but user {most!r} has several or no id; "
            "leave one of them"
        )
    row = pc.list_parent_indices(column).to_numpy()
    items = to_ids(pc.list_flatten(column), f"the lists of {where}", item_type)
    place = np.arange(len(row)) - np.searchsorted(row, row)
    table = pa.table({USER: users.take(pa.array(row)), ITEM: items})
    _require_once(table, where)
    return table, -place.astype(np.float64)


def _require_once(table: pa.Table, where: str) -> None:
    # Metrics would exceed 1.
    counts = table.group_by([USER, ITEM]).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))
    if twice.num_rows:
        first = twice.slice(0, 1).to_pylist()[0]
        raise InputError(
            f"a list must name an item once, but in {where}, {twice.num_rows} items are named more "
            f"often; the first is item {first[ITEM]!r} of user {first[USER]!r}, "
            f"{first['count_all']} times; leave the first place of each"
        )


def _numbers(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kinds = pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal
    if not any(kind(column.type) for kind in kinds):
        raise SchemaError(
            f"the column {name!r} of {where} must hold numbers, but holds {column.type}"
        )
    return column


def _comparable(scores: pa.ChunkedArray, where: str) -> NDArray[np.float64]:
    """Return numbers in the order of the scores, −inf where there is none.

    What float64 holds stays as it is. Integers of 64 bits and decimals become their place among the
    distinct scores, a whole number up to the number of rows.
    """
    kind = scores.type
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and kind.bit_width < 64):
        values: NDArray[np.float64] = scores.cast(pa.float64()).to_numpy()
        missing = np.isnan(values)
        num_nan = int(missing.sum()) - scores.null_count
        if num_nan:
            logger.warning(
                "of %d scores of %s, %d are NaN, which is no score", len(scores), where, num_nan
            )
        return np.where(missing, -np.inf, values)
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        scores = scores.cast(pa.decimal128(kind.precision, kind.scale))  # Arrow ranks no smaller
    place = pc.rank(scores, sort_keys="ascending", tiebreaker="dense").to_numpy()
    return np.where(scores.is_null().to_numpy(), -np.inf, place)
