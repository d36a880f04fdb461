"""Items without training rows, to be ranked among themselves by what is known of them."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.features.groups import Group, groups_of
from recsparse.datasets.matrices import item_of, laid_out, times_of, user_of
from recsparse.errors import InputError


@dataclass(frozen=True, eq=False)
class ColdPart:
    """Users with rows of cold items, and these items.

    Attributes:
        users: Indices of the users, one per row.
        history: Users × catalogue, what a model may see.
        times: The time of each cell of the history; None where the log has no times.
        targets: Users × cold items, what it has to predict; at least one per row.
        items: Indices of the cold items, which follow those of the catalogue.
        features: What is known of the cold items.
    """

    users: np.ndarray
    history: csr_matrix
    times: csr_matrix | None
    targets: csr_matrix
    items: np.ndarray
    features: list[Group]


def cold_part(data: Dataset, name: str) -> ColdPart:
    """Return the rows of a part whose items have no training row.

    Args:
        data: A dataset with features of items.
        name: `validation` or `test`.

    Returns:
        The users who have a history in the catalogue.

    Raises:
        InputError: If the dataset has no features, or the part has no such row.
    """
    if not data.item_features:
        raise InputError(
            "cold items are ranked by their features, but the dataset has none; prepare it with "
            "--items"
        )
    num_items = len(data.items)
    targets, tables = data.targets_and_history(name)
    user, item = user_of(targets), item_of(targets)
    known = np.zeros(len(data.users) + len(data.unseen_users), dtype=bool)
    for table in tables:
        known[user_of(table)[item_of(table) < num_items]] = True
    wanted = (item >= num_items) & known[user]
    if not wanted.any():
        raise InputError(
            f"the {name} part must have rows of items that training does not know, by users that "
            f"it knows, but none of its {len(item)} rows is one; hold items out of training"
        )
    users, items = np.unique(user[wanted]), np.unique(item[wanted])
    row_of = np.full(len(known), -1, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    shape = len(users), num_items
    return ColdPart(
        users,
        data.history_of(tables, row_of, shape),
        times_of(tables, lambda user: row_of[user], shape),
        laid_out(
            row_of[user[wanted]],
            np.searchsorted(items, item[wanted]),
            data.weights_of(targets)[wanted],
            (len(users), len(items)),
        ),
        items,
        groups_of(data.item_side, data.item_reviews, items.astype(np.int64)),
    )
