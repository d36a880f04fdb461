"""Pairs as places: which user and which item of a model each row is of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsparse.config.choices import OnUnknown
from recsparse.datasets.id_types import is_missing_id
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.scoring.left_out import LeftOut
from recsparse.scoring.request_columns import Rows, as_table, id_column, refuse_unknown


@dataclass(frozen=True, eq=False)
class LocatedPairs:
    """Where the pairs of some rows lie in a model.

    Attributes:
        user_index: The user of each row; −1 for one never seen.
        item_index: The item of each row; −1 for one that the model does not know.
        has_user: Whether the row names a user at all, by an id that is not null or blank.
    """

    user_index: NDArray[np.int64]
    item_index: NDArray[np.int64]
    has_user: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        pairs: Rows,
        users: Vocabulary,
        items: Vocabulary,
        on_unknown: OnUnknown,
        left_out: LeftOut | None = None,
    ) -> "LocatedPairs":
        """Look the ids of pairs up.

        Args:
            pairs: Columns `user_id` and `item_id`, others are ignored.
            users: Those of the model.
            items: Those of the model.
            on_unknown: What is done with ids never seen.
            left_out: Whose rows the model goes without.

        Returns:
            One place a row.

        Raises:
            UnknownIdError: If an id is unknown and `on_unknown` is `error`.
            InputError: If a column is missing, ids are of another type than the model's, or rows of
                a user were left out.
        """
        pairs = as_table(pairs)
        user_ids, item_ids = id_column(pairs, "user_id"), id_column(pairs, "item_id")
        user_index, item_index = users.index_of(user_ids), items.index_of(item_ids)
        if on_unknown == "error":
            refuse_unknown("user_id", user_ids, user_index)
            refuse_unknown("item_id", item_ids, item_index)
        if left_out is not None:
            left_out.require(user_ids, user_index)
        return cls(user_index, item_index, ~is_missing_id(user_ids))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows the model scores."""
        return (self.user_index >= 0) & (self.item_index >= 0)

    @property
    def of_strangers(self) -> NDArray[np.bool_]:
        """Which rows are of a user never seen and of a known item."""
        return (self.user_index < 0) & (self.item_index >= 0) & self.has_user

    def filled(
        self, of_known: NDArray[np.float32], popularity: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the scores of all rows.

        Args:
            of_known: The scores of the rows that the model scores.
            popularity: What users never seen get for each item; None for nothing.

        Returns:
            One score a row, NaN where there is none.
        """
        scores = np.full(len(self.user_index), np.nan, dtype=np.float32)
        scores[self.known] = of_known
        if popularity is not None:
            scores[self.of_strangers] = popularity[self.item_index[self.of_strangers]]
        return scores
