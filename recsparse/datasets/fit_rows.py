"""The rows of a dataset that models are fitted on."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.matrices import item_of, times_of, user_of
from recsparse.datasets.vocabulary import Vocabulary


@dataclass(frozen=True)
class FitRows:
    """What a model is fitted on.

    Attributes:
        users: Ids of the rows.
        interactions: Users × items, float32; rows of the log of the same cell are summed.
        times: The last time of each cell, int64 seconds; None where no row has a time.
    """

    users: Vocabulary
    interactions: csr_matrix
    times: csr_matrix | None


def rows_to_fit(data: Dataset, with_validation: bool = False) -> FitRows:
    """Return the rows that models are fitted on.

    Args:
        data: The dataset.
        with_validation: Add the validation rows of the items of the catalogue, and their users
            behind those of the training.

    Returns:
        The rows, laid out.
    """
    if not with_validation:
        return FitRows(data.users, data.train_matrix(), data.train_times())
    split, num_items = data.split, len(data.items)
    tables = [split.train, split.validation_history, split.validation]
    row_of = np.full(len(data.users) + len(data.unseen_users), -1, dtype=np.int64)
    for table in tables:
        row_of[user_of(table)[item_of(table) < num_items]] = 0
    row_of[: len(data.users)] = 0
    known = np.flatnonzero(row_of == 0)
    row_of[known] = np.arange(len(known))
    shape = len(known), num_items
    return FitRows(
        Vocabulary(data.user_ids(known)),
        data.history_of(tables, row_of, shape),
        times_of(tables, lambda user: row_of[user], shape),
    )
