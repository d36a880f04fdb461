"""Slices: metrics of some users, or of some items among the targets, each with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student_t

from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.errors import InputError
from recsparse.evaluation.listed_metrics import ListedMetrics, listed_lengths
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.reporting.value_text import mean_text

COLUMNS = ("slice", "group", "users", "metric", "mean", "low", "high", "is_small")
# Of all datasets, whatever tables they have.
GROUPS = ("history", "users", "items", "popularity", "time")
CONFIDENCE = 0.95
# Intervals of fewer users say little, and means of skewed metrics are not normal yet.
SMALL = 30


@dataclass(frozen=True, eq=False)
class Slice:
    """Some users of a part, or some of its items.

    Attributes:
        name: As in `history 10 to 19` or `genre=Comedy`; one of its kind.
        group: What it is one value of, as in `history` or `genre`.
        users: Which users, in the order of the part; None for all.
        items: Which items of the dataset count as targets; None for all.
    """

    name: str
    group: str
    users: NDArray[np.bool_] | None = None
    items: NDArray[np.bool_] | None = None


def slice_table(
    result: RankingResult, slices: Sequence[Slice], part: WholePart | None = None
) -> pd.DataFrame:
    """Return the mean of each metric over each slice, with a confidence interval.

    A slice of users takes their figures. A slice of items takes the same lists, and compares them
    with the targets among these items alone, so that only users with such targets have a figure;
    it has the metrics that lists and targets are enough for.

    The interval is Student's, of 95 %: mean ± t · standard error over the users.

    Args:
        result: Of one model.
        slices: All on the part of the result.
        part: The users and targets that were evaluated; only slices of items need it.

    Returns:
        One row per slice and metric: `slice`, `group`, `users` (whose metric is known), `metric`,
        `mean`, `low`, `high` (NaN for fewer than two users) and `is_small`, whether there are fewer
        than 30 users.

    Raises:
        InputError: If there is a slice of items, and no part or no lists of it.
    """
    found = _of_items(result, slices, part)
    rows = []
    for some in slices:
        values = found[some.name] if some.items is not None else result.per_user
        for metric, of_users in values.items():
            chosen = of_users if some.users is None else of_users[some.users]
            known = chosen[~np.isnan(chosen)]
            mean, low, high = _interval(known)
            size = len(known)
            rows.append((some.name, some.group, size, metric, mean, low, high, size < SMALL))
    return pd.DataFrame(rows, columns=[*COLUMNS])


def slice_tables(
    results: Mapping[str, RankingResult], slices: Sequence[Slice], part: WholePart | None = None
) -> pd.DataFrame:
    """Return the slices of several models in one table.

    Args:
        results: One result a model, all on the same users.
        slices: All on their part.
        part: The users and targets that were evaluated; only slices of items need it.

    Returns:
        The rows of `slice_table`, with the column `model` first.
    """
    tables = {model: slice_table(result, slices, part) for model, result in results.items()}
    if not tables:
        return pd.DataFrame(columns=["model", *COLUMNS])
    return pd.concat(tables, names=["model", ""]).reset_index(level=0).reset_index(drop=True)


def side_by_side(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the slices of several models for a terminal, those of the tables' columns left out.

    Args:
        table: What `slice_tables` made.
        metric: Such as `ndcg@10`.

    Returns:
        Columns `slice` (with a star where there are few users), `users`, and one per model: the
        mean, and half of its interval.
    """
    chosen = table[(table["metric"] == metric) & table["group"].isin(GROUPS)]
    rows = []
    for name, some in chosen.groupby("slice", sort=False):
        first = some.iloc[0]
        row = {"slice": f"{name} *" if first["is_small"] else name, "users": first["users"]}
        half = some["high"] - some["mean"]
        for model, mean, each in zip(some["model"], some["mean"], half, strict=True):
            row[model] = mean_text(mean, each)
        rows.append(row)
    return pd.DataFrame(rows)


def slice_figures(table: pd.DataFrame, metric: str) -> dict[str, float]:
    """Return the means of one model's slices for its run, by a name each.

    Args:
        table: What `slice_table` made.
        metric: Such as `ndcg@10`.

    Returns:
        Names such as `history_10_to_19_ndcg@10`; undefined means are left out.
    """
    chosen = table[(table["metric"] == metric) & table["mean"].notna()]
    names = [f"{slice_key(name)}_{metric}" for name in chosen["slice"]]
    return dict(zip(names, map(float, chosen["mean"]), strict=True))


def slice_key(name: str) -> str:
    """Return the name of a slice as part of the name of a figure.

    Args:
        name: Such as `genre=Sci-Fi & more`.

    Returns:
        Letters, digits, `_`, `-` and `.` alone.

    Example:
        >>> slice_key("genre=Sci-Fi & more")
        'genre_Sci-Fi_more'
    """
    kept = "".join(char if char.isalnum() or char in "-." else " " for char in name)
    return "_".join(kept.split())


def _interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    if len(values) < 2:
        return float(values[0]) if len(values) else np.nan, np.nan, np.nan
    mean = values.mean()
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = student_t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error
    return float(mean), float(mean - half), float(mean + half)


def _of_items(
    result: RankingResult, slices: Sequence[Slice], part: WholePart | None
) -> dict[str, dict[str, NDArray[np.float64]]]:
    # One value per user, for each slice of items and each metric.
    masks = {some.name: some.items for some in slices if some.items is not None}
    if not masks:
        return {}
    if part is None:
        raise InputError(
            "slices of items must have targets to count, but there is no part; pass the one that "
            "was evaluated"
        )
    lengths = listed_lengths(result.per_user)
    if not lengths:
        return {name: {} for name in masks}
    lists = ListedMetrics(result, part)
    found = {name: lists.per_user(lengths, mask) for name, mask in masks.items()}
    return {
        name: {metric: values[metric] for metric in result.per_user if metric in values}
        for name, values in found.items()
    }
