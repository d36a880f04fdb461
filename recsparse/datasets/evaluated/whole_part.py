"""WholePart: the users of a part by all items of the dataset, seen in training or not."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.config.choices import IncludeUsers
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.evaluated.lists_over_time import lists_over_time
from recsparse.datasets.matrices import item_of, laid_out, user_of, with_columns
from recsparse.datasets.vocabulary import Vocabulary

_ROWS_AT_ONCE = 1 << 15


@dataclass(frozen=True, eq=False)
class WholePart:
    """The users of a part, what they did before and what they did in it.

    Attributes:
        user_ids: One id per user.
        is_new: Whether a user has no training row.
        items: Ids of all items of the dataset: the catalogue of training, then the others.
        num_known: Size of the catalogue of training.
        target_rows: Users × items, int64: how many rows of the log there are of each target.
        lists: What a model may see of each user and has to predict, by all items. The first list
            of a user has all targets.
    """

    user_ids: pa.Array
    is_new: NDArray[np.bool_]
    items: Vocabulary
    num_known: int
    target_rows: csr_matrix
    lists: Lists

    @cached_property
    def num_rows(self) -> int:
        """Rows of the log that are to be predicted."""
        return int(self.target_rows.sum())

    @cached_property
    def history_lengths(self) -> NDArray[np.int64]:
        """Items known of each user before the part: distinct ones of the first list's history."""
        history = self.lists.of_lists(self.lists.are_first()).history
        starts = range(0, history.shape[0], _ROWS_AT_ONCE)
        lengths = [np.diff(history[start : start + _ROWS_AT_ONCE].indptr) for start in starts]
        return np.concatenate([[], *lengths]).astype(np.int64)

    def of_users(self, include: IncludeUsers) -> "WholePart":
        """Leave some of the users.

        Args:
            include: Those with training rows, those without, or all.

        Returns:
            The part of these users.
        """
        if include == "all":
            return self
        return self.of_chosen(self.is_new if include == "new" else ~self.is_new)

    def of_chosen(self, chosen: NDArray[np.bool_]) -> "WholePart":
        """Leave some of the users.

        Args:
            chosen: One truth per user.

        Returns:
            The part of these users.
        """
        lists = self.lists.of_lists(chosen[self.lists.user])
        return self._of_users(chosen, self.target_rows, lists)

    def first_lists(self) -> "WholePart":
        """Leave the first list of each user, which is made from what was done before the part.

        Returns:
            The part of one list per user, in their order.
        """
        return replace(self, lists=self.lists.of_lists(self.lists.are_first()))

    def of_targets(self, wanted: NDArray[np.bool_]) -> "WholePart":
        """Leave the targets of some items, and the lists and users that have any of them.

        Args:
            wanted: Whether the targets of an item stay.

        Returns:
            The part; histories stay as they are.
        """
        if wanted.all():
            return self
        num_items = len(self.items)
        column = np.where(wanted, np.arange(num_items), -1)
        target_rows = with_columns(self.target_rows, column, num_items)
        targets = self.lists.targets.with_columns(column, num_items)
        lists = replace(self.lists, targets=targets).of_lists(targets.num_cells() > 0)
        return self._of_users(target_rows.getnnz(axis=1) > 0, target_rows, lists)

    def by_catalogue(self, items: Vocabulary) -> Lists:
        """Lay histories and targets out by the items of a model, which are matched by id.

        Args:
            items: Ids of the model's items, in its own order.

        Returns:
            Histories of the items that the model knows. The targets have more columns, one for
            each item of the dataset that it does not know.
        """
        column = items.index_of(self.items.ids)
        strange = column < 0
        num_known, num_strange = len(items), int(strange.sum())
        width = num_known + num_strange
        wide = column.copy()
        wide[strange] = np.arange(num_known, width)
        lists, times = self.lists, self.lists.times
        return replace(
            lists,
            history=lists.history.with_columns(column, num_known),
            targets=lists.targets.with_columns(wide, width),
            times=None if times is None else times.with_columns(column, num_known),
        )

    def of_items(self, chosen: NDArray[np.bool_]) -> tuple[int, int]:
        """Count the targets of some items.

        Args:
            chosen: Which items of the dataset.

        Returns:
            How many of these items are targets, and how many rows of the log they are.
        """
        rows = np.asarray(self.target_rows.sum(axis=0)).ravel() * chosen
        return int((rows > 0).sum()), int(rows.sum())

    def _of_users(
        self, chosen: NDArray[np.bool_], target_rows: csr_matrix, lists: Lists
    ) -> "WholePart":
        return replace(
            self,
            user_ids=self.user_ids.filter(pa.array(chosen)),
            is_new=self.is_new[chosen],
            target_rows=target_rows[chosen],
            lists=lists,
        )


def whole_part(data: Dataset, name: str) -> WholePart:
    """Return all users of a part, with all that they did before it and in it.

    Args:
        data: The dataset.
        name: `validation` or `test`.

    Returns:
        One user per row, with lists as `lists_over_time` says; none where the part is empty.
    """
    rows, _ = data.targets_and_history(name)
    user, item = user_of(rows), item_of(rows)
    users = np.unique(user)
    row_of = np.full(len(data.users) + len(data.unseen_users), -1, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    is_new = np.ones(len(row_of), dtype=bool)
    is_new[user_of(data.split.train)] = False
    ids = pa.concat_arrays([data.items.ids, data.unseen_items.ids])
    shape, ones = (len(users), len(ids)), np.ones(len(user), dtype=np.int64)
    targets = laid_out(row_of[user], item, data.grades_of(rows), shape)
    return WholePart(
        user_ids=data.user_ids(users),
        is_new=is_new[users],
        items=Vocabulary(ids),
        num_known=len(data.items),
        target_rows=coo_matrix((ones, (row_of[user], item)), shape=shape).tocsr(),
        lists=lists_over_time(data, name, row_of, is_new, targets),
    )
