"""Pictures of a profile: rows by day, long tail, rows per user, ratings."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from recsparse.datasets.profiling.counts import Profile
from recsparse.datasets.profiling.figures import rating_histogram

_MOST_POINTS = 1_000
_DAYS_A_YEAR = 365.2425
# Matplotlib's calendar, as Python's own, has the years 1 to 9999; in days since 1970.
_CALENDAR = -719_162, 2_932_896


def plot_profile(profile: Profile) -> dict[str, Figure]:
    """Draw what a profile holds.

    Args:
        profile: Counts of rows.

    Returns:
        Figures by title: the rows by day, rows by rank of the items and the users, users by their
        number of rows, and rows by rating; only those for which there is anything to draw.
    """
    users, items = (each[each > 0] for each in (profile.rows_of_user, profile.rows_of_item))
    figures = {}
    if profile.rows_of_day:
        figures["rows by day"] = plot_days(profile.rows_of_day)
    if len(users):
        figures["rows by rank"] = plot_ranks({"items": items, "users": users})
        figures["rows per user"] = plot_row_counts(users)
    if profile.rows_of_rating:
        figures["ratings"] = plot_ratings(rating_histogram(profile))
    return figures


def plot_days(rows_of_day: Counter[int]) -> Figure:
    """Draw the rows of each day, or of each year where times are outside of the calendar.

    Args:
        rows_of_day: Rows by day since 1970, at least one.

    Returns:
        A figure with one axes.
    """
    figure, axes = _axes("", "rows per day")
    days = np.array(sorted(rows_of_day))
    rows = np.array([rows_of_day[day] for day in days.tolist()])
    if days[0] < _CALENDAR[0] or days[-1] > _CALENDAR[1]:
        years, place = np.unique(np.floor(1970 + days / _DAYS_A_YEAR), return_inverse=True)
        axes.vlines(years, 0, np.bincount(place, weights=rows))
        axes.set_xlabel("year")
        axes.set_ylabel("rows a year")
    else:
        axes.vlines(days.astype("datetime64[D]"), 0, rows, linewidth=1)
        locator = axes.xaxis.get_major_locator()
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylim(bottom=0)
    return figure


def plot_ranks(counts: Mapping[str, np.ndarray]) -> Figure:
    """Draw rows against rank, the most first, both on log axes; Zipf's law is a line there.

    Args:
        counts: Rows of each, all positive, by what they are rows of.

    Returns:
        A figure with one axes; of long curves, points at equal distances are drawn.
    """
    figure, axes = _axes("rank", "rows")
    for rows in counts.values():
        last = np.log10(len(rows))
        rank = np.unique(np.round(np.logspace(0, last, _MOST_POINTS)).astype(np.int64))
        axes.plot(rank, np.sort(rows)[::-1][rank - 1], marker="." if len(rows) < 3 else "")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(list(counts))
    return figure


def plot_row_counts(rows_of_user: np.ndarray) -> Figure:
    """Draw how many users have how many rows.

    Args:
        rows_of_user: Rows of each user, all positive.

    Returns:
        A figure with one axes, logarithmic in the number of rows.
    """
    figure, axes = _axes("rows of a user", "users")
    most = int(rows_of_user.max())
    # Whole numbers, so that no range between two of them is empty.
    edges = np.unique(np.round(np.logspace(0, np.log10(most + 1), 40)).astype(np.int64))
    axes.hist(rows_of_user, bins=edges.tolist() if len(edges) > 1 else 1)
    axes.set_xscale("log")
    return figure


def plot_ratings(rows_of_rating: Mapping[str, int]) -> Figure:
    """Draw the rows of each rating.

    Args:
        rows_of_rating: Rows by rating, or by range.

    Returns:
        A figure with one axes.
    """
    figure, axes = _axes("rating", "rows")
    places = range(len(rows_of_rating))
    axes.bar(places, list(rows_of_rating.values()))
    turned = max(map(len, rows_of_rating)) > 5
    axes.set_xticks(places, list(rows_of_rating), rotation=90 if turned else 0)
    return figure


def _axes(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    return figure, axes
