"""Dataset: a split log with everything that was fitted on its training part."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.config import Config
from recsparse.datasets.items import ItemsTable
from recsparse.datasets.log import InteractionLog
from recsparse.datasets.ordering import AxisOrder, fit_order
from recsparse.datasets.schema import ITEM_ID, TIMESTAMP, USER_ID, WEIGHT
from recsparse.datasets.split import Split, split_interactions
from recsparse.datasets.text import BagOfWords
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.sparse.tensor import SparseTensor


@dataclass(frozen=True)
class EvaluationPart:
    """Users to rank items for.

    Attributes:
        user_ids: One id a row.
        history: Users × items, what a model may see.
        targets: Users × items, what it has to predict; at least one a row.
    """

    user_ids: pa.Array
    history: csr_matrix
    targets: csr_matrix


@dataclass(frozen=True)
class Dataset:
    """What models are fitted and evaluated on.

    Attributes:
        users: Ids of the training users.
        items: Ids of the training items, the catalogue.
        split: The rows.
        user_order: Places of the users on the grid.
        item_order: Places of the items on the grid.
        words: The vocabulary of the items' text, if there is text.
        item_words: One bag of words an item of the catalogue, if there is text.
        counts: How many rows, users and items went where.
        config: The settings that it was made with.
        rejected: Rows of the log that were set aside, with a `reason`.
    """

    users: Vocabulary
    items: Vocabulary
    split: Split
    user_order: AxisOrder
    item_order: AxisOrder
    words: BagOfWords | None
    item_words: SparseTensor | None
    counts: dict[str, int]
    config: dict[str, Any]
    rejected: pa.Table

    def train_matrix(self) -> csr_matrix:
        """Return the training rows as a matrix; rows of the same cell are summed.

        Returns:
            Users × items, float32.
        """
        return _matrix(self.split.train, self.users, self.items)

    def evaluation_part(self, name: str) -> EvaluationPart:
        """Return the users of a part with their histories and targets.

        A validation user's history is the training rows, a test user's the training and validation
        rows; for held-out users it is the share of their rows set apart for that. Targets whose
        item is not in the catalogue, and users without a history of such items, are left out:
        `counts` has them.

        Args:
            name: `validation` or `test`.

        Returns:
            One row a user with at least one target.

        Raises:
            InputError: If the name is another.
        """
        if name not in ("validation", "test"):
            raise InputError(f"the part must be 'validation' or 'test', but got {name!r}")
        targets, history = _targets_and_history(self.split, name, self.items)
        known = history[USER_ID].unique()
        wanted = _among(targets, ITEM_ID, self.items.ids)
        users = Vocabulary.fit(_among(wanted, USER_ID, known)[USER_ID])
        return EvaluationPart(
            users.ids, _matrix(history, users, self.items), _matrix(wanted, users, self.items)
        )

    def all_rows(self) -> pa.Table:
        """Return the rows of every part.

        Returns:
            Canonical interactions.
        """
        split = self.split
        return pa.concat_tables(
            [
                split.train, split.validation, split.test,
                split.validation_history, split.test_history,
            ]
        )  # fmt: skip

    def train_frame(self) -> pd.DataFrame:
        """Return the training rows as a frame.

        Returns:
            The canonical columns that hold anything.
        """
        return self.split.train.to_pandas().dropna(axis="columns", how="all")


def build_dataset(log: InteractionLog, items: ItemsTable | None, config: Config) -> Dataset:
    """Split a log and fit vocabularies, orders and the bag of words on its training part.

    Args:
        log: The checked log.
        items: Items with text; those of the catalogue that it lacks have no words.
        config: Sections `split`, `text`, `order`, and the seed.

    Returns:
        The dataset.

    Raises:
        InputError: If the log is too small to learn from, or a part comes out empty.
    """
    _require_two(log)
    split = split_interactions(log.table, config.split, config.seed)
    users, catalogue = (Vocabulary.fit(split.train[name]) for name in (USER_ID, ITEM_ID))
    words, item_words, text_counts = _fit_words(items, catalogue, config)
    user_order, item_order = _fit_orders(split.train, users, catalogue, config)
    counts = {
        "users": len(users),
        "items": len(catalogue),
        **_log_counts(log),
        **split.counts,
        **_unseen_counts(split, catalogue),
        **text_counts,
    }
    settings = config.model_dump(
        mode="json", include={"seed", "log", "split", "text", "order"}, exclude_none=True
    )
    return Dataset(
        users=users,
        items=catalogue,
        split=split,
        user_order=user_order,
        item_order=item_order,
        words=words,
        item_words=item_words,
        counts=counts,
        config=settings,
        rejected=log.rejected,
    )


def _require_two(log: InteractionLog) -> None:
    for column, name in ((USER_ID, "users"), (ITEM_ID, "items")):
        found = len(log.table[column].unique())
        if found < 2:
            raise InputError(
                f"the log must have at least 2 {name} to learn from, but has {found} in "
                f"{log.table.num_rows} rows; give a longer log"
            )


def _fit_words(
    items: ItemsTable | None, catalogue: Vocabulary, config: Config
) -> tuple[BagOfWords | None, SparseTensor | None, dict[str, int]]:
    """Fit the bag of words on the text of the catalogue's items, which all occur in training."""
    if items is None:
        return None, None, {}
    index = catalogue.index_of(items.ids)
    texts = [""] * len(catalogue)
    for place, text in zip(index.tolist(), items.texts, strict=True):
        if place >= 0:
            texts[place] = text
    words = BagOfWords.fit(texts, config.text)
    counts = {
        "words": len(words),
        "catalogue_items_without_text": sum(not text for text in texts),
        "text_items_not_in_catalogue": int((index < 0).sum()),
    }
    return words, words.transform(texts), counts


def _fit_orders(
    train: pa.Table, users: Vocabulary, items: Vocabulary, config: Config
) -> tuple[AxisOrder, AxisOrder]:
    matrix, kind, seed = _matrix(train, users, items), config.order.kind, config.seed
    first_of_user = first_of_item = None
    if kind == "time":
        first_of_user = _first_events(train, USER_ID, users)
        first_of_item = _first_events(train, ITEM_ID, items)
    return (
        fit_order(matrix, kind, seed, first_of_user),
        fit_order(matrix.T.tocsr(), kind, seed, first_of_item),
    )


def _first_events(table: pa.Table, column: str, vocabulary: Vocabulary) -> np.ndarray:
    if table[TIMESTAMP].null_count:
        raise InputError(
            "order.kind = time needs a time for every training row, but "
            f"{table[TIMESTAMP].null_count} have none; choose another order"
        )
    first = table.group_by(column).aggregate([(TIMESTAMP, "min")])
    times = np.empty(len(vocabulary), dtype=np.int64)
    times[vocabulary.index_of(first[column])] = first[f"{TIMESTAMP}_min"].to_numpy()
    return times


def _log_counts(log: InteractionLog) -> dict[str, int]:
    counts = log.counts
    return {
        "log_rows": counts.rows_read,
        "rejected_rows": log.rejected.num_rows,
        "rows_below_min_rating": counts.below_min_rating,
        "duplicate_rows": counts.duplicates,
    }


def _unseen_counts(split: Split, catalogue: Vocabulary) -> dict[str, int]:
    counts = {}
    for name in ("validation", "test"):
        targets, history = _targets_and_history(split, name, catalogue)
        known_item = _among(targets, ITEM_ID, catalogue.ids)
        known = _among(known_item, USER_ID, history[USER_ID].unique())
        counts[f"{name}_rows_of_unseen_items"] = targets.num_rows - known_item.num_rows
        counts[f"{name}_rows_of_unseen_users"] = known_item.num_rows - known.num_rows
    return counts


def _targets_and_history(
    split: Split, name: str, catalogue: Vocabulary
) -> tuple[pa.Table, pa.Table]:
    if name == "validation":
        held_out, before = split.validation_history, [split.train]
        targets = split.validation
    else:
        held_out, before = split.test_history, [split.train, split.validation]
        targets = split.test
    history = held_out if held_out.num_rows else pa.concat_tables(before)
    return targets, _among(history, ITEM_ID, catalogue.ids)


def _among(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table[column], value_set=values))


def _matrix(table: pa.Table, users: Vocabulary, items: Vocabulary) -> csr_matrix:
    """Lay rows out as users × items; rows of ids in neither vocabulary are left out."""
    row, column = users.index_of(table[USER_ID]), items.index_of(table[ITEM_ID])
    known = (row >= 0) & (column >= 0)
    weights = table[WEIGHT].to_numpy()[known].astype(np.float32)
    cells = (weights, (row[known], column[known]))
    return coo_matrix(cells, shape=(len(users), len(items))).tocsr()
