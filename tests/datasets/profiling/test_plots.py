from collections import Counter

import numpy as np
import pytest

from recsparse.datasets.profiling.counts import Profile
from recsparse.datasets.profiling.plots import (
    plot_days,
    plot_profile,
    plot_ranks,
    plot_row_counts,
)


def lines(figure):
    """The points of each line of a figure's only axes."""
    return [line.get_xydata().tolist() for line in figure.axes[0].get_lines()]


def segments(figure):
    """Place and height of each upright line."""
    collection = figure.axes[0].collections[0]
    return [(start[0], end[1]) for start, end in collection.get_segments()]


def test_each_day_with_rows_has_a_line_as_high_as_they_are_many():
    assert segments(plot_days(Counter({5: 3, 2: 1}))) == [(2, 1), (5, 3)]


def test_days_outside_of_the_calendar_are_drawn_by_year():
    days = Counter({0: 2, 364: 3, 20_000_000: 4})
    figure = plot_days(days)
    assert segments(figure) == [(1970, 2 + 3), (1970 + 20_000_000 // 365.2425, 4)]
    figure.draw_without_rendering()


def test_ranks_fall_from_the_one_with_most_rows_to_the_one_with_fewest():
    figure = plot_ranks({"items": np.array([1, 7, 3])})
    assert lines(figure) == [[[1, 7], [2, 3], [3, 1]]]
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"


def test_a_long_curve_keeps_its_ends():
    (points,) = lines(plot_ranks({"items": np.arange(1, 100_001)}))
    assert len(points) < 1_001
    assert (points[0], points[-1]) == ([1, 100_000], [100_000, 1])


@pytest.mark.parametrize("rows", [[1], [1, 1, 2, 900], [7, 7], list(range(1, 500))])
def test_every_user_is_in_one_bar(rows):
    heights = [bar.get_height() for bar in plot_row_counts(np.array(rows)).axes[0].patches]
    assert sum(heights) == len(rows)


def test_only_what_is_there_is_drawn():
    assert plot_profile(Profile.of_size(0, 0)) == {}
    bare = Profile(np.array([2, 0]), np.array([1, 1]))
    assert list(plot_profile(bare)) == ["rows by rank", "rows per user"]
    full = Profile(np.array([2]), np.array([2]), Counter({3: 2}), Counter({4.5: 1}), 4.5)
    figures = plot_profile(full)
    assert list(figures) == ["rows by day", "rows by rank", "rows per user", "ratings"]
    assert [text.get_text() for text in figures["ratings"].axes[0].get_xticklabels()] == ["4.5"]
