"""Rows of the same user and item in a table that fits into memory."""

from typing import Literal

import numpy as np
import pyarrow as pa

from recsparse.datasets.building.clean import without_duplicates
from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows
from recsparse.datasets.schema import ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsparse.datasets.vocabulary import Vocabulary


def table_without_duplicates(
    table: pa.Table, keep: Literal["last", "sum", "keep"], half_life_days: float | None = None
) -> tuple[pa.Table, int]:
    """Leave one row for each user and item, as `without_duplicates` does.

    Args:
        table: Canonical interactions.
        keep: What to do.
        half_life_days: Of weights, for `sum`; None where age does not matter.

    Returns:
        The rows left, in their order in the table, and the number of rows that repeat.
    """
    rows = Rows(
        _numbered(table, USER_ID),
        _numbered(table, ITEM_ID),
        table[WEIGHT].to_numpy(),
        table[TIMESTAMP].fill_null(NO_TIME).to_numpy(),
        table[RATING].fill_null(NO_RATING).to_numpy(),
        text=np.arange(table.num_rows),  # where the row is
    )
    order = np.lexsort([rows.weight, rows.rating, rows.item, rows.timestamp, rows.user])
    kept, count = without_duplicates(rows.take(order), keep, half_life_days)
    kept = kept.take(np.argsort(kept.columns["text"]))
    result = table.take(pa.array(kept.columns["text"]))
    place = result.schema.get_field_index(WEIGHT)
    weights = pa.array(kept.weight, pa.float32())
    return result.set_column(place, result.schema.field(place), weights), count


def _numbered(table: pa.Table, name: str) -> np.ndarray:
    return Vocabulary.fit(table[name]).index_of(table[name]).astype(np.int32)
