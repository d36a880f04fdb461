"""Slices of candidates, by columns of their frame."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsparse.errors import InputError, SchemaError, nearest
from recsparse.evaluation.candidates import Candidates
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.slices import COLUMNS, Slice, slice_table
from recsparse.reporting.value_text import value_text

# Columns of more numbers than this are cut into quarters.
_MOST_VALUES, _QUARTERS = 10, 4


def candidate_slices(
    candidates: Candidates, result: RankingResult, frame: pd.DataFrame, columns: Sequence[str]
) -> pd.DataFrame:
    """Return the metrics of groups of users, and of groups of items among the targets.

    A column that has one value for all rows of each user is about users; else it must have one for
    each item, whose lists are the same, compared with the targets of the group alone. Numbers of
    more than ten values are cut into quarters.

    Args:
        candidates: What was ranked.
        result: Its metrics.
        frame: The rows of the candidates.
        columns: Which columns to slice by.

    Returns:
        A table as of `slice_table`.

    Raises:
        SchemaError: If there is no such column.
        InputError: If a column is neither about users nor about items.
    """
    tables = [pd.DataFrame(columns=[*COLUMNS])]
    for column in columns:
        for name, users, items in _groups(candidates, frame, column):
            some = result if items is None else candidates.result([*result.per_user], items)
            tables.append(slice_table(some, [Slice(name, column, users)]))
    return pd.concat(tables[1:] or tables, ignore_index=True)


_Mask = NDArray[np.bool_]


def _groups(
    candidates: Candidates, frame: pd.DataFrame, column: str
) -> Iterator[tuple[str, _Mask | None, _Mask | None]]:
    if column not in frame:
        raise SchemaError(
            f"slices must name columns of the candidates, but {column!r} is none; "
            f"{nearest(column, map(str, frame))}"
        )
    values = frame[column].reset_index(drop=True)
    of_users = values.groupby(candidates.user).nunique(dropna=False).le(1).all()
    if not of_users and values.groupby(candidates.item).nunique(dropna=False).gt(1).any():
        raise InputError(
            f"the column {column!r} must have one value for all rows of a user, or of an item, but "
            "has several for some of both; leave it out of slices"
        )
    index = candidates.user if of_users else candidates.item
    known = values.groupby(index).first()
    names = sorted(known.dropna().unique(), key=str)
    if pd.api.types.is_numeric_dtype(known) and known.nunique() > _MOST_VALUES:
        known, names = _quarters(known)
    for value in names:
        mask = np.asarray(known == value, dtype=bool)
        yield f"{column}={value}", *((mask, None) if of_users else (None, mask))


def _quarters(values: pd.Series) -> tuple[pd.Series, list[str]]:
    # By the least and the most of each quarter, as slices of datasets are called.
    quarter = pd.qcut(values, _QUARTERS, labels=False, duplicates="drop")
    names = {}
    for place, some in values.groupby(quarter):
        first, last = value_text(float(some.min())), value_text(float(some.max()))
        names[place] = first if first == last else f"{first} to {last}"
    return quarter.map(names), [*names.values()]
