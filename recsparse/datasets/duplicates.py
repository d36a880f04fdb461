"""Rows of the same user and item in a table that fits into memory."""

from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from recsparse.config.units import SECONDS_A_DAY
from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows
from recsparse.datasets.packed_order import packed_order
from recsparse.datasets.schema import ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError


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


def without_duplicates(
    rows: Rows, keep: Literal["last", "sum", "keep"], half_life_days: float | None = None
) -> tuple[Rows, int]:
    """Leave one row for each user and item (and part, where the log gives parts).

    The last one stays, in the order of `sorted_rows`: the latest, of equal times the one with the
    highest rating, then weight. `sum` gives it the weight of all, each halved for every half-life
    that it is older; `keep` changes nothing.

    Args:
        rows: Whole users, sorted.
        keep: What to do.
        half_life_days: Of weights, for `sum`; None where age does not matter.

    Returns:
        The rows left, in their order, and the number of rows that repeat.

    Raises:
        InputError: If a sum of weights is too large for single precision.
    """
    repeated = _repeated(rows)
    count = int(repeated.sum())
    if keep == "keep" or count == 0:
        return rows, count
    if keep == "sum":
        pair = rows.user.astype(np.int64) << 32 | rows.item
        keys = pd.DataFrame(
            {"pair": pair} if rows.part is None else {"pair": pair, "part": rows.part}
        )
        grouped = keys.assign(weight=_aged(rows, keys, half_life_days)).groupby(
            list(keys.columns), sort=False
        )
        rows = rows.with_weight(_checked_sums(grouped["weight"].transform("sum").to_numpy()))
    return rows.take(~repeated), count


def without_later_parts(rows: Rows) -> tuple[Rows, int]:
    """Leave of each user and item the rows of the first part that has any.

    Args:
        rows: Whole users, with the parts that the log gives.

    Returns:
        The rows left, in their order, and the number of the others.
    """
    pair = pd.Series(rows.user.astype(np.int64) << 32 | rows.item)
    part = pd.Series(np.asarray(rows.part))
    is_first = (part == part.groupby(pair, sort=False).transform("min")).to_numpy()
    return rows.take(is_first), int((~is_first).sum())


def _checked_sums(weights: np.ndarray) -> np.ndarray:
    most = float(np.finfo(np.float32).max)
    if (weights > most).any():
        raise InputError(
            f"the weights of one user and item must add up to at most {most:.2g}, but add up to "
            f"{weights.max():.2g}; scale the column of weights, or set log.duplicates to last"
        )
    return weights


def _repeated(rows: Rows) -> np.ndarray:
    """Say of each row whether a later one has the same user, item and part."""
    keys = [rows.user, rows.item] if rows.part is None else [rows.user, rows.item, rows.part]
    order = packed_order(keys)
    same = np.ones(max(len(rows) - 1, 0), dtype=bool)
    for key in keys:
        same &= key[order[1:]] == key[order[:-1]]
    repeated = np.zeros(len(rows), dtype=bool)
    repeated[order[:-1][same]] = True
    return repeated


def _aged(rows: Rows, keys: pd.DataFrame, half_life_days: float | None) -> np.ndarray:
    weight = rows.weight.astype(np.float64)
    if half_life_days is None:
        return weight
    time = pd.Series(rows.timestamp.astype(np.float64)).where(rows.timestamp != NO_TIME)
    last = time.groupby([keys[name] for name in keys], sort=False).transform("max")
    age = (last - time).fillna(0.0).to_numpy() / SECONDS_A_DAY
    aged: np.ndarray = weight * 0.5 ** (age / half_life_days)
    return aged
