"""Rows of a log in the place of what is known of their users."""

import logging

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix, csr_matrix

from recsparse.datasets.id_types import is_missing_id
from recsparse.datasets.matrices import last_of_cells
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.scoring.laid_over_rows import laid_over
from recsparse.scoring.request_columns import (
    Rows,
    as_table,
    id_column,
    time_column,
    weight_column,
)
from recsparse.scoring.user_rows import RowsInMemory, UserRows

logger = logging.getLogger(__name__)


def with_rows(
    users: Vocabulary, items: Vocabulary, known: UserRows, rows: Rows
) -> tuple[Vocabulary, UserRows]:
    """Add rows of a log to what is known of users; of the users of these rows nothing else stays.

    Args:
        users: Users whose rows are known.
        items: The catalogue; rows of other items are left out, with a warning in the log.
        known: The rows of these users.
        rows: The new rows, as `TrainedModel.with_history` takes them.

    Returns:
        All users, new ones behind the others, and their rows.

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
    user_index = users.index_of(user_ids)
    is_new = user_index < 0
    new_ids = user_ids.filter(pa.array(is_new))
    new = Vocabulary.fit(new_ids)
    user_index[is_new] = len(users) + new.index_of(new_ids)
    replaced, row = np.unique(user_index, return_inverse=True)
    has_item = np.flatnonzero(item_index >= 0)
    row, item, shape = row[has_item], item_index[has_item], (len(replaced), len(items))
    history = coo_matrix((weight_column(rows)[has_item], (row, item)), shape=shape).tocsr()
    times = None
    if known.is_timed:
        row, item, last = last_of_cells(row, item, time_column(rows)[has_item])
        times = coo_matrix((last, (row, item)), shape=shape).tocsr()
    all_users = users.followed_by(new)
    above = RowsInMemory(csr_matrix(history, dtype=np.float32), times)
    return all_users, laid_over(known, above, replaced, len(all_users))
