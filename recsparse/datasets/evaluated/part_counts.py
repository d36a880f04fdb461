"""PartCounts: how much of a part training knows, and how much of it is evaluated."""

from dataclasses import dataclass

import numpy as np

from recsparse.datasets.evaluated.whole_part import WholePart


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
        evaluated_rows: Rows that these lists are compared with, each counted once.
        evaluated_lists: These lists; in a split by time, users without training rows have several.
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
    evaluated_lists: int
    users_without_history: int
    rows_of_users_without_history: int


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
    first = evaluated.lists.of_lists(evaluated.lists.are_first())
    without_history = first.history.num_cells() == 0
    with_unseen = whole.target_rows[:, whole.num_known :].getnnz(axis=1) > 0
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
        evaluated_lists=len(evaluated.lists),
        users_without_history=int(without_history.sum()),
        rows_of_users_without_history=int(evaluated.target_rows[without_history].sum()),
    )
