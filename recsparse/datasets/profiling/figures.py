"""Figures of a profile, in groups, as a page or a table shows them."""

from typing import Any

import numpy as np

from recsparse.datasets.profiling.counts import Profile

Groups = dict[str, dict[str, Any]]
_QUANTILES = {"25 %": 0.25, "median": 0.5, "75 %": 0.75, "90 %": 0.9, "99 %": 0.99}


def profile_figures(profile: Profile, num_cells: int) -> Groups:
    """Return the figures of rows.

    Args:
        profile: Counts of rows.
        num_cells: Distinct pairs of user and item.

    Returns:
        Names and values by group, ready for JSON; what is not known is left out.
    """
    users, items = (each[each > 0] for each in (profile.rows_of_user, profile.rows_of_item))
    size = len(users) * len(items)
    grid = {"users": len(users), "items": len(items), "active cells": num_cells}
    groups = {
        "grid": grid | ({"share of active cells": num_cells / size} if size else {}),
        "time": _times(profile),
        "rows per user": spread(users),
        "rows per item": spread(items),
        "long tail": {**_tail("items", items), **_tail("users", users)},
        "ratings": _ratings(profile),
        "rows by rating": rating_histogram(profile),
    }
    return {name: group for name, group in groups.items() if group}


def _times(profile: Profile) -> dict[str, Any]:
    if profile.first_second is None or profile.last_second is None:
        return {}
    # NumPy has years beyond 9999, which milliseconds taken for seconds lead to.
    first, last = (
        f"{np.datetime64(second, 's')}Z" for second in (profile.first_second, profile.last_second)
    )
    return {
        "first event": first,
        "last event": last,
        "days with rows": len(profile.rows_of_day),
        "rows without a time": profile.num_rows - profile.rows_of_day.total(),
    }


def _ratings(profile: Profile) -> dict[str, Any]:
    number = profile.rows_of_rating.total()
    if number == 0:
        return {}
    return {
        "mean": profile.rating_sum / number,
        "rows without a rating": profile.num_rows - number,
    }


def _tail(name: str, counts: np.ndarray) -> dict[str, int | float]:
    if len(counts) == 0:
        return {}
    return {
        f"share of rows in the top 1 % of {name}": top_share(counts, 0.01),
        f"share of rows in the top 10 % of {name}": top_share(counts, 0.1),
        f"Gini coefficient of {name}": gini(counts),
    }


def rating_histogram(profile: Profile, most: int = 20) -> dict[str, int]:
    """Return the rows by rating.

    Args:
        profile: Counts of rows.
        most: Where there are more different ratings, they fall into this many ranges of equal
            width.

    Returns:
        Rows by rating, or by range, rising.

    Example:
        >>> from collections import Counter
        >>> profile = Profile(np.array([5]), np.array([5]), rows_of_rating=Counter({4.5: 2, 1: 3}))
        >>> rating_histogram(profile)
        {'1': 3, '4.5': 2}
    """
    rows = profile.rows_of_rating
    values = sorted(rows)
    if len(values) <= most:
        return {f"{value:g}": rows[value] for value in values}
    weights = [rows[value] for value in values]
    counts, edges = np.histogram(values, bins=most, weights=weights)
    return {
        f"{low:.4g} to {high:.4g}": int(count)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    }


def gini(counts: np.ndarray) -> float:
    """Return the Gini coefficient, 0 where all are equal and near 1 where one has everything.

    The mean absolute difference of two that are drawn at random, over twice the mean.

    Args:
        counts: Numbers ≥ 0.

    Returns:
        From 0 to 1 − 1 / n; NaN where all are 0, or there is none.

    Example:
        >>> gini(np.array([1, 1])), gini(np.array([0, 4]))
        (0.0, 0.5)
    """
    size, total = len(counts), float(counts.sum())
    if total == 0:
        return float("nan")
    rank = np.arange(1, size + 1)
    return float(((2 * rank - size - 1) * np.sort(counts)).sum() / (size * total))


def top_share(counts: np.ndarray, share: float) -> float:
    """Return the share of everything that those with most have.

    Args:
        counts: Numbers ≥ 0.
        share: The share of them that counts as top, rounded down, but at least one of them.

    Returns:
        From 0 to 1; NaN where all are 0, or there is none.

    Example:
        >>> top_share(np.array([1, 6, 1]), 0.1)
        0.75
    """
    total = float(counts.sum())
    if total == 0:
        return float("nan")
    number = max(1, int(len(counts) * share))
    return float(np.partition(counts, -number)[-number:].sum() / total)


def spread(counts: np.ndarray) -> dict[str, int | float]:
    """Return the minimum, some quantiles, the maximum and the mean.

    Args:
        counts: Rows of each user or item.

    Returns:
        Numbers by name; nothing where there is none.
    """
    if len(counts) == 0:
        return {}
    quantiles = np.quantile(counts, list(_QUANTILES.values())).tolist()
    return {
        "minimum": int(counts.min()),
        **dict(zip(_QUANTILES, quantiles, strict=True)),
        "maximum": int(counts.max()),
        "mean": float(counts.mean()),
    }
