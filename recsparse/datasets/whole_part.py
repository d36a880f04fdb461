"""WholePart: the users of a part by all items of the dataset, seen in training or not."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.config import IncludeUsers
from recsparse.datasets.dataset import Dataset, EvaluationPart
from recsparse.datasets.matrices import item_of, laid_out, times_of, user_of, with_columns
from recsparse.datasets.rows import NO_TIME
from recsparse.datasets.schema import TIMESTAMP
from recsparse.datasets.vocabulary import Vocabulary


@dataclass(frozen=True)
class PartCounts:
    """How many users and rows of a part training knows, and how many are evaluated.

    Attributes:
        users: Users of the part.
        rows: Rows of the part.
        unseen_users: Users without a training row.
        rows_of_unseen_users: Their rows in the part.
        unseen_items: Items of the part that are not in the catalogue of training.
        users_of_unseen_items: Users with a row of such an item.
        rows_of_unseen_items: Rows of such items.
        evaluated_users: Users that lists are made for.
        evaluated_rows: Rows that these lists are compared with.
        users_without_history: Evaluated users of whom nothing is known before the part.
        rows_of_users_without_history: Rows that their lists are compared with.
    """

    users: int
    rows: int
    unseen_users: int
    rows_of_unseen_users: int
    unseen_items: int
    users_of_unseen_items: int
    rows_of_unseen_items: int
    evaluated_users: int
    evaluated_rows: int
    users_without_history: int
    rows_of_users_without_history: int


@dataclass(frozen=True, eq=False)
class WholePart:
    """The users of a part, what they did before and what they did in it.

    Attributes:
        user_ids: One id a row.
        is_new: Whether a user has no training row.
        items: Ids of all items of the dataset: the catalogue of training, then the others.
        num_known: Size of the catalogue of training.
        history: Users × items, what a model may see.
        targets: Users × items, what it has to predict; at least one a row.
        target_rows: int64, how many rows of the log each cell of the targets is.
        times: The time of each cell of the history; None where the log has no times.
    """

    user_ids: pa.Array
    is_new: NDArray[np.bool_]
    items: Vocabulary
    num_known: int
    history: csr_matrix
    targets: csr_matrix
    target_rows: csr_matrix
    times: csr_matrix | None = None

    @cached_property
    def num_rows(self) -> int:
        """Rows of the log that are to be predicted."""
        return int(self.target_rows.sum())

    def of_users(self, include: IncludeUsers) -> "WholePart":
        """Leave some of the users.

        Args:
            include: Those with training rows, those without, or all.

        Returns:
            The part of these users.
        """
        if include == "all":
            return self
        return self._of(self.is_new if include == "new" else ~self.is_new)

    def of_targets(self, wanted: NDArray[np.bool_]) -> "WholePart":
        """Leave the targets of some items, and the users who have any of them.

        Args:
            wanted: Whether the targets of an item stay.

        Returns:
            The part; histories stay as they are.
        """
        if wanted.all():
            return self
        num_items = len(self.items)
        column = np.where(wanted, np.arange(num_items), -1)
        part = replace(
            self,
            targets=with_columns(self.targets, column, num_items),
            target_rows=with_columns(self.target_rows, column, num_items),
        )
        return part._of(part.targets.getnnz(axis=1) > 0)

    def by_catalogue(self, items: Vocabulary) -> EvaluationPart:
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
        times = None if self.times is None else with_columns(self.times, column, num_known)
        return EvaluationPart(
            self.user_ids,
            with_columns(self.history, column, num_known),
            with_columns(self.targets, wide, width),
            times,
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

    def _of(self, chosen: NDArray[np.bool_]) -> "WholePart":
        return replace(
            self,
            user_ids=self.user_ids.filter(pa.array(chosen)),
            is_new=self.is_new[chosen],
            history=self.history[chosen],
            targets=self.targets[chosen],
            target_rows=self.target_rows[chosen],
            times=None if self.times is None else self.times[chosen],
        )


def whole_part(data: Dataset, name: str) -> WholePart:
    """Return all users of a part, with all that they did before it and in it.

    A user's history is that of `Dataset.evaluation_part`. Of a user without training rows, rows of
    the validation part that are not earlier than the first row to predict are left out, so that
    nothing is known of what follows; held-out users show the share of rows that the split has set
    apart.

    Args:
        data: The dataset.
        name: `validation` or `test`.

    Returns:
        One row a user; none where the part is empty.
    """
    rows, tables = data.targets_and_history(name)
    user, item = user_of(rows), item_of(rows)
    users = np.unique(user)
    row_of = np.full(len(data.users) + len(data.unseen_users), -1, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    is_new = np.ones(len(row_of), dtype=bool)
    is_new[user_of(data.split.train)] = False
    # Held-out users have one table, whose rows the split has drawn at random.
    later = [_without_later(table, rows, is_new) for table in tables[1:]]
    tables = [*tables[:1], *later]
    ids = pa.concat_arrays([data.items.ids, data.unseen_items.ids])
    shape, ones = (len(users), len(ids)), np.ones(len(user), dtype=np.int64)
    return WholePart(
        user_ids=data.user_ids(users),
        is_new=is_new[users],
        items=Vocabulary(ids),
        num_known=len(data.items),
        history=data.history_of(tables, row_of, shape),
        targets=laid_out(row_of[user], item, data.weights_of(rows), shape),
        target_rows=coo_matrix((ones, (row_of[user], item)), shape=shape).tocsr(),
        times=times_of(tables, lambda some: row_of[some], shape),
    )


def part_counts(whole: WholePart, evaluated: WholePart) -> PartCounts:
    """Count what of a part is evaluated.

    Args:
        whole: All of the part.
        evaluated: What is left of it.

    Returns:
        The counts.
    """
    unseen = np.arange(len(whole.items)) >= whole.num_known
    unseen_items, rows_of_unseen_items = whole.of_items(unseen)
    without_history = evaluated.history.getnnz(axis=1) == 0
    with_unseen = whole.targets[:, whole.num_known :].getnnz(axis=1) > 0
    return PartCounts(
        users=len(whole.user_ids),
        rows=whole.num_rows,
        unseen_users=int(whole.is_new.sum()),
        rows_of_unseen_users=int(whole.target_rows[whole.is_new].sum()),
        unseen_items=unseen_items,
        users_of_unseen_items=int(with_unseen.sum()),
        rows_of_unseen_items=rows_of_unseen_items,
        evaluated_users=len(evaluated.user_ids),
        evaluated_rows=evaluated.num_rows,
        users_without_history=int(without_history.sum()),
        rows_of_users_without_history=int(evaluated.target_rows[without_history].sum()),
    )


def _without_later(table: pa.Table, rows: pa.Table, is_new: np.ndarray) -> pa.Table:
    """Leave rows of new users out that are not before the first of their rows to predict."""
    never = np.iinfo(np.int64).max
    first = np.full(len(is_new), never)
    np.minimum.at(first, user_of(rows), rows[TIMESTAMP].fill_null(NO_TIME).to_numpy())
    user, time = user_of(table), table[TIMESTAMP].fill_null(NO_TIME).to_numpy()
    known = (time != NO_TIME) & (first[user] != NO_TIME)
    left_out = is_new[user] & known & (time >= first[user])
    return table.filter(pa.array(~left_out)) if left_out.any() else table
