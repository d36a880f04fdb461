"""Rows of users, those of unknown users among them."""

import logging

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.id_types import is_missing_id
from recsparse.datasets.matrices import last_of_cells
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.scoring.request_columns import (
    Rows,
    as_table,
    id_column,
    time_column,
    weight_column,
)

logger = logging.getLogger(__name__)


def rows_of_users(matrix: csr_matrix, user_index: NDArray[np.int64]) -> csr_matrix:
    """Return one row per user.

    Args:
        matrix: Users × items.
        user_index: Users; an unknown one, -1, has an empty row.

    Returns:
        The rows.
    """
    known = user_index >= 0
    if not known.any():
        return csr_matrix((len(user_index), matrix.shape[1]), dtype=matrix.dtype)
    rows = matrix[np.where(known, user_index, 0)]
    if known.all():
        return rows
    keep = np.repeat(known, np.diff(rows.indptr))
    lengths = np.where(known, np.diff(rows.indptr), 0)
    indptr = np.concatenate([[0], lengths.cumsum()])
    return csr_matrix((rows.data[keep], rows.indices[keep], indptr), shape=rows.shape)


def merged_rows(
    old: csr_matrix,
    place: NDArray[np.int64],
    new: coo_matrix,
    replaced: NDArray[np.int64],
) -> csr_matrix:
    """Lay known and new rows out together; those of some users are replaced.

    Args:
        old: Users × items, as they were.
        place: The row of each of these users in the result.
        new: Users × items of the result, the new cells alone.
        replaced: Rows of the result whose old cells go.

    Returns:
        Old cells and new ones, of the shape of `new`.
    """
    known = old.tocoo()
    row = place[known.row]
    keep = ~np.isin(row, replaced)
    # Not their sum: it would forget the cells of weight 0, which have been seen all the same.
    both = (
        np.concatenate([known.data[keep], new.data]),
        (np.concatenate([row[keep], new.row]), np.concatenate([known.col[keep], new.col])),
    )
    return coo_matrix(both, shape=new.shape).tocsr()


def with_rows(
    users: Vocabulary,
    items: Vocabulary,
    history: csr_matrix,
    times: csr_matrix | None,
    rows: Rows,
) -> tuple[Vocabulary, csr_matrix, csr_matrix | None]:
    """Add rows of a log to what is known of users; of the users of these rows nothing else stays.

    Args:
        users: Users whose rows are known.
        items: The catalogue; rows of other items are left out, with a warning in the log.
        history: Users × items.
        times: The time of each cell; None where times are not known.
        rows: The new rows, as `TrainedModel.with_history` takes them.

    Returns:
        All users, their rows, and the times of these.

    Raises:
        InputError: If the ids are null or of another type than those known, or a weight is
            negative or not finite.
    """
    rows = as_table(rows)
    user_ids = id_column(rows, "user_id")
    if missing := int(is_missing_id(user_ids).sum()):
        raise InputError(
            f"user ids must not be null or blank, but {missing} of {len(user_ids)} rows of the "
            "history have none; drop those rows"
        )
    item_index = items.index_of(id_column(rows, "item_id"))
    unknown = int((item_index < 0).sum())
    if unknown:
        logger.warning("%d of %d history rows have unknown items", unknown, len(item_index))
    known = np.flatnonzero(item_index >= 0)
    users.index_of(user_ids)  # refuses ids of another type
    all_users = Vocabulary.fit(pa.concat_arrays([users.ids, user_ids.cast(users.ids.type)]))
    user_index, place = all_users.index_of(user_ids), all_users.index_of(users.ids)
    row, item, shape = user_index[known], item_index[known], (len(all_users), len(items))
    new = coo_matrix((weight_column(rows)[known], (row, item)), shape=shape)
    if times is not None:
        row, item, last = last_of_cells(row, item, time_column(rows)[known])
        when = coo_matrix((last, (row, item)), shape=shape)
        times = merged_rows(times, place, when, user_index)
    return all_users, merged_rows(history, place, new, user_index), times
