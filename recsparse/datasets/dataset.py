"""Dataset: a split log with everything that was fitted on its training part."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from recsparse.config.config import Config
from recsparse.datasets.ageing import aged_weights
from recsparse.datasets.features.bag_of_words import BagOfWords
from recsparse.datasets.features.fitted_features import FittedFeatures
from recsparse.datasets.features.groups import Group, groups_of
from recsparse.datasets.features.side_columns import SideColumns
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.datasets.matrices import item_of, laid_out, matrix_of, times_of, user_of
from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.parts import EvaluationPart, Parts
from recsparse.datasets.schema import ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError


@dataclass(frozen=True)
class Dataset:
    """What models are fitted and evaluated on; rows stay on disk until they are used.

    Attributes:
        users: Ids of the training users.
        items: Ids of the training items, the catalogue.
        unseen_users: Ids of users without training rows: those of the log, then those that the
            table of users alone has; their indices follow those of `users`.
        unseen_items: Ids of items without training rows, likewise.
        split: The rows.
        user_order: Places of the users on the grid.
        item_order: Places of the items on the grid.
        user_side: Features of the users from a table of users, the unseen behind the trained.
        item_side: Features of the items from a table of items, likewise.
        user_reviews: Bags of the log's own text, of each user's training rows.
        item_reviews: Bags of the log's own text, of each item's training rows.
        counts: How many rows, users and items went where.
        config: The settings that it was made with: sections on data, and the seed.
    """

    users: Vocabulary
    items: Vocabulary
    unseen_users: Vocabulary
    unseen_items: Vocabulary
    split: Parts
    user_order: AxisOrder
    item_order: AxisOrder
    user_side: SideFeatures
    item_side: SideFeatures
    user_reviews: SideFeatures
    item_reviews: SideFeatures
    counts: dict[str, int]
    config: Config

    def __repr__(self) -> str:
        """Return its size: users and items of the training part, and rows of each part."""
        rows = (self.split.train, self.split.validation, self.split.test)
        train, validation, test = (f"{len(each):,}" for each in rows)
        return (
            f"<Dataset of {len(self.users):,} users × {len(self.items):,} items: rows for "
            f"training {train}, validation {validation}, test {test}>"
        )

    @property
    def words(self) -> BagOfWords | None:
        """The vocabulary of the items' text, if there is text."""
        return self.item_side.words

    @cached_property
    def item_features(self) -> list[Group]:
        """What is known of the items of the catalogue: named groups of columns, a row per item."""
        return groups_of(self.item_side, self.item_reviews, slice(len(self.items)))

    @cached_property
    def user_features(self) -> list[Group]:
        """What is known of the training users: named groups of columns, a row per user."""
        return groups_of(self.user_side, self.user_reviews, slice(len(self.users)))

    @cached_property
    def fitted_item_features(self) -> FittedFeatures | None:
        """What it takes to read the features of items that are not in the dataset.

        None where there was no table of items, or an older build did not keep the names of its
        columns of text.
        """
        columns = SideColumns.of_config(self.config, "item")
        return FittedFeatures.of(columns, self.items.ids.type, self.item_side, self.item_reviews)

    def train_matrix(self) -> csr_matrix:
        """Return the training rows as a matrix; rows of the same cell are summed.

        With `log.half_life_days`, a row weighs half for each half-life that it is older than the
        last training row.

        Returns:
            Users × items, float32.
        """
        train = self.split.train
        shape = len(self.users), len(self.items)
        return matrix_of(train, shape, self.weights_of(train))

    def train_times(self) -> csr_matrix | None:
        """Return the times of the cells of `train_matrix`, of each the last one.

        Rows without a time come before all others.

        Returns:
            Users × items, int64, seconds; None where no training row has a time.
        """
        return times_of([self.split.train], lambda user: user, (len(self.users), len(self.items)))

    def evaluation_part(self, name: str) -> EvaluationPart:
        """Return the users of a part with their histories and targets.

        A validation user's history is the training rows, a test user's the training and validation
        rows; for held-out users it is the share of their rows set apart for that. Targets whose
        item is not in the catalogue, and users without a history of such items, are left out:
        `counts` has them.

        Args:
            name: `validation` or `test`.

        Returns:
            One row per user with at least one target.

        Raises:
            InputError: If the name is another.
        """
        if name not in ("validation", "test"):
            raise InputError(f"the part must be 'validation' or 'test', but got {name!r}")
        targets, history = self.targets_and_history(name)
        num_items = len(self.items)
        user, item = user_of(targets), item_of(targets)
        known = np.zeros(len(self.users) + len(self.unseen_users), dtype=bool)
        for table in history:
            known[user_of(table)[item_of(table) < num_items]] = True
        wanted = (item < num_items) & known[user]
        users = np.unique(user[wanted])
        row_of = np.full(len(known), -1, dtype=np.int64)
        row_of[users] = np.arange(len(users))
        shape = len(users), num_items
        grades = self.grades_of(targets)[wanted]
        return EvaluationPart(
            self.user_ids(users),
            self.history_of(history, row_of, shape),
            laid_out(row_of[user[wanted]], item[wanted], grades, shape),
            times_of(history, lambda user: row_of[user], shape),
        )

    def targets_and_history(self, name: str) -> tuple[pa.Table, list[pa.Table]]:
        """Return the rows to predict and those that a model may see.

        Args:
            name: `validation` or `test`.

        Returns:
            The rows of the part, and of the parts before it, or what was set apart for that.
        """
        split = self.split
        if name == "validation":
            before, targets = [split.train], split.validation
        else:
            before, targets = [split.train, split.validation], split.test
        shown = split.set_apart(name)
        return targets, before if shown is None else [shown]

    def history_of(
        self, tables: list[pa.Table], row_of: np.ndarray, shape: tuple[int, int]
    ) -> csr_matrix:
        """Lay the rows of some users out as a matrix, those of items of the catalogue.

        Args:
            tables: Rows by index.
            row_of: The row of each user; −1 leaves the user out.
            shape: Number of rows and of items.

        Returns:
            Users × items.
        """
        pieces = []
        for table in tables:
            row, item = row_of[user_of(table)], item_of(table)
            kept = (row >= 0) & (item < shape[1])
            pieces.append((row[kept], item[kept], self.weights_of(table)[kept]))
        row, item, weight = (np.concatenate(some) for some in zip(*pieces, strict=True))
        return laid_out(row, item, weight, shape)

    def weights_of(self, table: pa.Table) -> np.ndarray:
        """Return the weights of rows, as their age leaves them.

        Args:
            table: Rows by index.

        Returns:
            float32, one per row.
        """
        half_life = self.config.log.half_life_days
        last = self.counts.get("last_training_second")
        return aged_weights(table[WEIGHT].to_numpy(), table[TIMESTAMP], last, half_life)

    @cached_property
    def _weights_differ(self) -> bool:
        weights = pc.min_max(self.split.train[WEIGHT]).as_py()
        return bool(weights["min"] != weights["max"])

    def grades_of(self, table: pa.Table) -> np.ndarray:
        """Return how much rows are wanted, for metrics that grade targets; age does not matter.

        Args:
            table: Rows by index.

        Returns:
            float32, one per row: its weight; where all training rows weigh the same, its rating if
            it has one.
        """
        weight = table[WEIGHT].to_numpy()
        if self._weights_differ:
            return weight
        rating = table[RATING].fill_null(np.nan).to_numpy()
        return np.where(np.isnan(rating), weight, rating)

    def user_ids(self, index: np.ndarray) -> pa.Array:
        """Return the ids of users, unseen ones included.

        Args:
            index: Indices of users.

        Returns:
            Their ids.
        """
        return _ids(self.users, self.unseen_users, index)

    def item_ids(self, index: np.ndarray) -> pa.Array:
        """Return the ids of items, unseen ones included.

        Args:
            index: Indices of items.

        Returns:
            Their ids.
        """
        return _ids(self.items, self.unseen_items, index)

    def with_ids(self, table: pa.Table) -> pa.Table:
        """Return rows with ids in the place of indices, in memory.

        Args:
            table: Rows of a part.

        Returns:
            Columns `user_id`, `item_id`, `weight`, `timestamp`, `rating`.
        """
        columns = {
            USER_ID: self.user_ids(user_of(table)),
            ITEM_ID: self.item_ids(item_of(table)),
            WEIGHT: pa.array(self.weights_of(table)),
            TIMESTAMP: table[TIMESTAMP],
            RATING: table[RATING],
        }
        return pa.table(columns)

    def train_frame(self, limit: int | None = None) -> pd.DataFrame:
        """Return training rows as a frame.

        Args:
            limit: At most this many, from the first users; None for all.

        Returns:
            The columns that hold anything.
        """
        train = self.split.train if limit is None else self.split.train.slice(0, limit)
        return self.with_ids(train).to_pandas().dropna(axis="columns", how="all")


def _ids(train: Vocabulary, unseen: Vocabulary, index: np.ndarray) -> pa.Array:
    if len(index) and index.max() >= len(train):
        return pa.concat_arrays([train.ids, unseen.ids]).take(pa.array(index))
    return train.id_of(index)
