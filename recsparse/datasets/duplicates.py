"""Rows of the same user and item."""

from typing import Literal

import numpy as np
import pyarrow as pa

from recsparse.datasets.schema import ITEM_ID, TIMESTAMP, USER_ID, WEIGHT


def without_duplicates(
    table: pa.Table, keep: Literal["last", "sum", "keep"]
) -> tuple[pa.Table, int]:
    """Leave one row for each user and item.

    The last row by time stays; without a time, or of equal times, the last by order; rows with a
    time come after those without. `sum` gives it the weight of all; `keep` changes nothing.

    Args:
        table: Canonical interactions.
        keep: What to do.

    Returns:
        The rows left, in their order, and the number of rows that repeat a user and item.
    """
    frame = table.select([USER_ID, ITEM_ID, WEIGHT]).to_pandas()
    time = table[TIMESTAMP].fill_null(np.iinfo(np.int64).min).to_numpy()
    by_time = frame.iloc[np.argsort(time, kind="stable")]
    repeated = by_time.duplicated([USER_ID, ITEM_ID], keep="last")
    count = int(repeated.sum())
    if keep == "keep" or count == 0:
        return table, count
    kept = np.sort(by_time.index[~repeated.to_numpy()].to_numpy())
    result = table.take(pa.array(kept))
    if keep == "sum":
        total = frame.groupby([USER_ID, ITEM_ID], sort=False)[WEIGHT].transform("sum")
        column = result.schema.get_field_index(WEIGHT)
        weights = pa.array(total.to_numpy()[kept], pa.float32())
        result = result.set_column(column, result.schema.field(column), weights)
    return result, count
