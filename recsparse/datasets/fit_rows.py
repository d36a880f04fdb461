"""The rows of a dataset that models are fitted on."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.matrices import item_of, times_of, user_of, wider, with_columns
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
    tables, num_items = _with_validation(data), len(data.items)
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


def with_new_items(
    data: Dataset, rows: FitRows, index: NDArray[np.int64], with_validation: bool
) -> FitRows:
    """Add columns of items without a training row, and what users did with them in validation.

    Args:
        data: The dataset.
        rows: What `rows_to_fit` returned.
        index: These items of the dataset.
        with_validation: Whether the rows are those of validation, too.

    Returns:
        The rows, with a column for each of these items behind the others.
    """
    num_known, num_ids = len(data.items), len(data.items) + len(data.unseen_items)
    width = num_known + len(index)
    if not with_validation:
        times = None if rows.times is None else wider(rows.times, width)
        return FitRows(rows.users, wider(rows.interactions, width), times)
    column = np.full(num_ids, -1)
    column[:num_known] = np.arange(num_known)
    column[index] = np.arange(num_known, width)
    everyone = np.arange(len(data.users) + len(data.unseen_users))
    row_of = rows.users.index_of(data.user_ids(everyone))
    tables, shape = _with_validation(data), (len(rows.users), num_ids)
    times = times_of(tables, lambda user: row_of[user], shape)
    return FitRows(
        rows.users,
        with_columns(data.history_of(tables, row_of, shape), column, width),
        None if times is None else with_columns(times, column, width),
    )


def _with_validation(data: Dataset) -> list[pa.Table]:
    return [data.split.train, data.split.validation_history, data.split.validation]
