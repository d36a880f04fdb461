"""TrainedModel: a fitted recommender together with its ids and the users' histories."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, UnknownIdError
from recsparse.evaluation.ranking import mask_seen, top_k
from recsparse.models.base import Recommender

logger = logging.getLogger(__name__)

OnUnknown = Literal["error", "null", "popularity"]
Ids = Sequence[int] | Sequence[str] | NDArray[np.int64] | pd.Series | pa.Array | pa.ChunkedArray

# Users scored at once are bounded so that their score matrix stays near 160 MB.
_SCORES_AT_ONCE = 40_000_000


@dataclass(frozen=True)
class TrainedModel:
    """A model that speaks in ids: scores pairs and recommends items.

    Attributes:
        model: The fitted recommender, which speaks in indices.
        users: Ids of the users whose history is known.
        items: Ids of the catalogue, in the model's order.
        history: Users × items, what is known of each user; it is what scores start from and what
            recommendations leave out.
    """

    model: Recommender
    users: Vocabulary
    items: Vocabulary
    history: csr_matrix

    def score(
        self, pairs: pd.DataFrame | pa.Table, on_unknown: OnUnknown = "error"
    ) -> NDArray[np.float32]:
        """Score (user_id, item_id) pairs; scores compare items for one user, not users.

        Args:
            pairs: Columns `user_id` and `item_id`, others are ignored.
            on_unknown: For ids never seen: raise an `error`, give NaN (`null`), or let unknown
                users have each item's share of all rows (`popularity`; unknown items stay NaN).

        Returns:
            One score a row, in the order of the rows.

        Raises:
            UnknownIdError: If an id is unknown and `on_unknown` is `error`.
        """
        table = pairs if isinstance(pairs, pa.Table) else pa.Table.from_pandas(pairs)
        user_index = self.users.index_of(_column(table, "user_id"))
        item_index = self.items.index_of(_column(table, "item_id"))
        if on_unknown == "error":
            _refuse_unknown("user_id", table["user_id"], user_index)
            _refuse_unknown("item_id", table["item_id"], item_index)
        scores = np.full(table.num_rows, np.nan, dtype=np.float32)
        known = (user_index >= 0) & (item_index >= 0)
        scores[known] = self._score_known(user_index[known], item_index[known])
        if on_unknown == "popularity":
            stranger = (user_index < 0) & (item_index >= 0)
            scores[stranger] = self.popularity()[item_index[stranger]]
        return scores

    def recommend(
        self,
        users: Ids | None = None,
        k: int = 20,
        *,
        filter_seen: bool = True,
        items: Ids | None = None,
        history: pd.DataFrame | pa.Table | None = None,
        on_unknown: OnUnknown = "error",
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
                return the most popular items (`popularity`).

        Returns:
            Columns `user_id`, `item_id`, `rank` (from 1), `score`.

        Raises:
            UnknownIdError: If an id is unknown and `on_unknown` is `error`.
            InputError: If k is below 1.
        """
        model = self if history is None else self.with_history(history)
        if users is None:
            wanted = model.users.ids if history is None else _unique_users(history)
        else:
            wanted = as_array(users)
        tables = list(
            model.recommend_batches(
                wanted, k, filter_seen=filter_seen, items=items, on_unknown=on_unknown
            )
        )
        return pa.concat_tables(tables).to_pandas() if tables else _no_rows(model)
"""
"""
