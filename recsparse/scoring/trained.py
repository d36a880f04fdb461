"""TrainedModel: a fitted recommender together with its ids and the users' histories."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.config.choices import OnUnknown
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.id_types import Ids, ids_of, is_missing_id
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.scoring.item_table import ItemTable
from recsparse.scoring.left_out import LeftOut
from recsparse.scoring.list_table import allowed_items, list_table
from recsparse.scoring.located_pairs import LocatedPairs
from recsparse.scoring.reasons import with_reasons
from recsparse.scoring.request_columns import Rows, as_table, id_column, refuse_unknown, slices
from recsparse.scoring.scorer import Scorer
from recsparse.scoring.similar import similar_batches
from recsparse.scoring.user_histories import with_rows
from recsparse.scoring.user_rows import UserRows


@dataclass(frozen=True)
class TrainedModel:
    """A model that speaks in ids: scores pairs and recommends items.

    Attributes:
        model: The fitted recommender, which speaks in indices; with new items behind those of its
            fit where it can rank them.
        users: Ids of the users whose history is known.
        items: Ids of the catalogue, in the model's order.
        rows: What is known of each user by rows; it is what scores start from and what
            recommendations leave out.
        data: The settings of the dataset whose rows these are.
        user_features: What the model reads of these users besides their rows; None where it reads
            nothing else. A user without rows may be known by them.
        item_table: How a table of new items is read; None where the dataset had no table of items.
        all_popularity: What `popularity` returns; None where the histories at hand are all.
        left_out: Whose rows the model was logged without; None where it has all.
    """

    model: FittedModel
    users: Vocabulary
    items: Vocabulary
    rows: UserRows
    data: DataSettings = field(default_factory=DataSettings)
    user_features: Features | None = None
    item_table: ItemTable | None = None
    all_popularity: NDArray[np.float32] | None = None
    left_out: LeftOut | None = None

    @property
    def history(self) -> csr_matrix:
        """Users × items, the weights of all rows; all of them are taken into memory."""
        return self._whole[0]

    @property
    def times(self) -> csr_matrix | None:
        """The time of each cell of the history in seconds; None where times are not known."""
        return self._whole[1]

    def __repr__(self) -> str:
        """Return the model, and of how many users and items."""
        size = f"{len(self.users):,} users × {len(self.items):,} items"
        return f"<TrainedModel {self.model.kind} of {size}>"

    def score(self, pairs: Rows, on_unknown: OnUnknown = "error") -> NDArray[np.float32]:
        """Score (user_id, item_id) pairs; scores compare items for one user, not users.

        Args:
            pairs: Columns `user_id` and `item_id`, others are ignored.
            on_unknown: For ids never seen: raise an `error`, give NaN (`null`), or let unknown
                users have each item's recent share of all weight (`popularity`; unknown items stay
                NaN, as do users whose id is null or blank).

        Returns:
            One score per row, in the order of the rows.

        Raises:
            UnknownIdError: If an id is unknown and `on_unknown` is `error`.
            InputError: If a column is missing, or ids are of another type than the model's.
        """
        located = self.located(pairs, on_unknown)
        known = located.known
        indices = located.user_index[known], located.item_index[known]
        return self.filled(located, self.scorer.pair_scores(*indices), on_unknown)

    def located(self, pairs: Rows, on_unknown: OnUnknown = "error") -> LocatedPairs:
        """Return where pairs lie; arguments and errors are those of `score`."""
        return LocatedPairs.of(pairs, self.users, self.items, on_unknown, self.left_out)

    def filled(
        self, located: LocatedPairs, of_known: NDArray[np.float32], on_unknown: OnUnknown
    ) -> NDArray[np.float32]:
        """Return the scores of all rows, from those of the rows that the model knows."""
        popular = self.popularity() if on_unknown == "popularity" else None
        return located.filled(of_known, popular)

    def recommend(
        self,
        users: Ids | None = None,
        k: int = 20,
        *,
        filter_seen: bool = True,
        items: Ids | None = None,
        history: Rows | None = None,
        on_unknown: OnUnknown = "error",
        explain: bool = False,
    ) -> pd.DataFrame:
        """Return the k best items of each user, ties in the order of the catalogue.

        Args:
            users: Ids; None means every known user, and where a history is given, its users.
            k: Length of each list; it is shorter where too few items are left.
            filter_seen: Leave out the items of the user's history.
            items: Recommend only these items.
            history: Columns `user_id`, `item_id`, optional `weight`: rows that replace what is
                known of their users, who may be new.
            on_unknown: For users never seen: raise an `error`, return no rows (`null`), or
                return the items that are popular of late (`popularity`; no rows where the id is
                null or blank).
            explain: Say which items of the history brought each item its score.

        Returns:
            Columns `user_id`, `item_id`, `rank` (from 1), `score`; and, explained, those of
            `recsparse.scoring.reasons.with_reasons`.

        Raises:
            UnknownIdError: If an id is unknown and `on_unknown` is `error`.
            InputError: If k is below 1, or a model is to explain that cannot.
        """
        history = None if history is None else as_table(history)
        model = self if history is None else self.with_history(history)
        if users is None:
            known = model.users.ids
            wanted = known if history is None else id_column(history, "user_id").unique()
        else:
            wanted = ids_of(users)
        tables = model.recommend_batches(
            wanted,
            k,
            filter_seen=filter_seen,
            items=items,
            on_unknown=on_unknown,
            explain=explain,
        )
        return pa.concat_tables(tables).to_pandas()

    def recommend_batches(
        self,
        users: Ids,
        k: int,
        *,
        filter_seen: bool = True,
        items: Ids | None = None,
        on_unknown: OnUnknown = "error",
        explain: bool = False,
    ) -> Iterator[pa.Table]:
        """Yield the recommendations of some users at a time, in the order of `users`.

        Args:
            users: Ids.
            k: Length of each list.
            filter_seen: Leave out the items of the user's history.
            items: Recommend only these items.
            on_unknown: The same as for `recommend`.
            explain: The same as for `recommend`.

        Yields:
            Tables with the columns of `recommend`, at least one.

        Raises:
            UnknownIdError: If an id is unknown and `on_unknown` is `error`.
            InputError: If k is below 1, or a model is to explain that cannot.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, but got {k}")
        users = ids_of(users)
        user_index = self.users.index_of(users)
        if on_unknown == "error":
            refuse_unknown("user_id", users, user_index)
        if self.left_out is not None:
            self.left_out.require(users, user_index)
        allowed = allowed_items(self.items, items, on_unknown)
        for rows in [*slices(len(users), self.scorer.users_at_once())] or [slice(0, 0)]:
            yield self._recommend(
                users[rows], user_index[rows], k, allowed, filter_seen, on_unknown, explain
            )

    def similar_items(self, items: Ids | None = None, k: int = 10) -> pd.DataFrame:
        """Return the k items that are most like each item, ties in the order of the catalogue.

        What makes items alike is up to the model: their vectors, neighbours or features. No list
        holds the item itself, nor one that has nothing in common with it, so that a list may be
        shorter.

        Args:
            items: Ids; None means all of the catalogue.
            k: Length of each list.

        Returns:
            Columns `item_id`, `similar_item_id`, `rank` (from 1), `score`, which compares the items
            of one list.

        Raises:
            UnknownIdError: If an id is unknown.
            InputError: If k is below 1, or the model does not know how alike items are.
        """
        ids = self.items.ids if items is None else ids_of(items)
        return pa.concat_tables(similar_batches(self.model, self.items, ids, k)).to_pandas()

    def with_history(self, history: Rows) -> "TrainedModel":
        """Return a model that knows the given rows; they replace what it knew of their users.

        Nothing is trained: every model scores from the user's row alone. Rows of items outside
        the catalogue are left out, with a warning in the log.

        Args:
            history: Columns `user_id`, `item_id` and optional `weight`; and `timestamp` in seconds
                for a model that uses times; where no row has one, later rows are taken as later,
                with a warning in the log.

        Returns:
            A new model; this one stays as it was.

        Raises:
            InputError: If the ids are null or of another type than the model's, or a weight is
                negative or not finite.
        """
        users, rows = with_rows(self.users, self.items, self.rows, history)
        features = self.user_features
        if features is not None and len(users) > len(self.users):
            added = np.full(len(users) - len(self.users), -1)
            features = features.rows(np.concatenate([np.arange(len(self.users)), added]))
        new = replace(self, users=users, rows=rows, user_features=features)
        if self.left_out is None:
            return new
        given = id_column(history, "user_id").unique()
        return replace(new, left_out=self.left_out.with_rows_of(self.users, users, given))

    def popularity(self) -> NDArray[np.float32]:
        """Return each item's share of the weight of the recent rows that the model knows.

        Returns:
            One share per item, in catalogue order; they sum to 1. Rows that are older than 90 days
            before the last one count a hundredth; without times all rows are recent.

        Raises:
            InputError: If the model was logged without histories.
        """
        if self.left_out is not None:
            self.left_out.require_all("the popularity of items")
        return self.scorer.popularity

    @cached_property
    def _whole(self) -> tuple[csr_matrix, csr_matrix | None]:
        return self.rows.whole()

    @cached_property
    def scorer(self) -> Scorer:
        """What scores users by their indices."""
        return Scorer(self.model, self.rows, self.user_features, self.all_popularity)

    def _recommend(
        self,
        users: pa.Array,
        user_index: NDArray[np.int64],
        k: int,
        allowed: NDArray[np.bool_] | None,
        filter_seen: bool,
        on_unknown: OnUnknown,
        explain: bool,
    ) -> pa.Table:
        is_unknown = user_index < 0
        if on_unknown == "popularity" and is_unknown.any():
            self.popularity()  # which refuses where rows were left out
        best, values = self.scorer.best(user_index, k, filter_seen, allowed)
        # A null or blank id is no user, and gets no recommendations.
        without = is_unknown if on_unknown == "null" else is_unknown & is_missing_id(users)
        best[torch.from_numpy(without)] = -1
        ids = users.cast(self.users.ids.type)
        lists = list_table(ids, self.items, best.numpy(), values.numpy())
        if not explain:
            return lists
        known_of = self.scorer.known_of(user_index)
        return with_reasons(lists, best.numpy(), self.items, self.model, *known_of)
