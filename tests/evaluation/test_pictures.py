from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsparse.evaluation.comparison import compare
from recsparse.evaluation.pictures import (
    pictures,
    plot_by_history,
    plot_by_length,
    plot_comparison,
    plot_gains,
    plot_popularity,
)
from recsparse.evaluation.slices import Slice, slice_tables
from tests.evaluation.results import METRIC, result, three_models


def real(num_users=200):
    """Three models whose figures are positive, as those of lists are."""
    rng = np.random.default_rng(0)
    base = rng.random(num_users) * 0.5 + 0.2
    noise = rng.normal(0, 0.02, (3, num_users))
    return {
        "ours": result(base + noise[0]),
        "alike": result(base + noise[1]),
        "worse": result(base * 0.8 + noise[2]),
    }


def test_the_picture_has_a_bar_a_model_and_the_best_on_top():
    figure = plot_comparison(three_models(), METRIC)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["far", "near", "best"]
    means = {model: one.mean()[METRIC] for model, one in three_models().items()}
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([means["far"], means["near"], means["best"]])
    assert METRIC in axes.get_xlabel()


def test_of_errors_the_lowest_is_on_top():
    errors = {name: replace(one, per_user={"user_rmse": one.per_user[METRIC]})
              for name, one in three_models().items()}  # fmt: skip
    (axes,) = plot_comparison(errors, "user_rmse").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["best", "near", "far"]


def test_gains_are_percent_with_their_intervals_and_grey_where_none_was_shown():
    compared = compare(real())
    (axes,) = plot_gains(compared).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worse", "alike"]
    tested = compared.significance[METRIC]
    texts = [each.get_text() for each in axes.texts]
    assert texts == [
        f"{100 * (tested.loc[name, 'ratio'] - 1):+.1f} %" for name in ("worse", "alike")
    ]
    assert axes.texts[0].get_color() != axes.texts[1].get_color() == "#888888"
    assert plot_gains(compare({"a": result([0.5, 0.1])})) is None
    assert plot_gains(compare({"a": result([0.5, 0.1]), "b": result([0.0, 0.0])})) is None


def test_lengths_of_lists_have_a_line_a_model():
    table = pd.DataFrame({"a": [0.1, 0.2], "b": [0.0, 0.3]}, index=pd.Index([1, 5], name="k"))
    compared = replace(compare({"a": result([0.5, 0.1])}), by_length=table)
    (axes,) = plot_by_length(compared).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.1, 0.2], [0.0, 0.3]]
    assert plot_by_length(replace(compared, by_length=table[:1])) is None


def test_histories_have_a_point_for_each_model_hollow_where_users_are_few():
    results = real()
    place = np.arange(200)
    some = [
        Slice("history 0", "history", users=place < 20),
        Slice("history 1 to 4", "history", users=place >= 20),
    ]
    compared = replace(compare(results), slices=slice_tables(results, some))
    (axes,) = plot_by_history(compared).axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["0 (20)", "1 to 4 (180)"]
    drawn = [
        points for points in axes.collections if len(getattr(points, "get_offsets", list)()) == 2
    ]
    heights = [
        points.get_offsets()[:, 1].tolist() for points in drawn if hasattr(points, "get_sizes")
    ]
    for values, model in zip(heights, results.values(), strict=True):
        of_users = model.per_user[METRIC]
        assert values == pytest.approx([of_users[:20].mean(), of_users[20:].mean()])
    white = drawn[0].get_facecolor()[0].tolist()
    assert white == [1, 1, 1, 1] != drawn[0].get_facecolor()[1].tolist()
    assert plot_by_history(compare(results)) is None


def test_popularity_has_a_bar_of_shares_for_each_row():
    table = pd.DataFrame(
        [[0.25, 0.25, 0.25, 0.25], [1.0, 0, 0, 0]], index=["test rows", "a"],
        columns=["head", "middle", "tail", "new"],
    )  # fmt: skip
    compared = replace(compare({"a": result([0.5, 0.1])}), popularity=table)
    (axes,) = plot_popularity(compared).axes
    assert sum(bar.get_width() for bar in axes.patches) == 2
    assert [bar.get_width() for bar in axes.patches[:2]] == [0.25, 1.0]
    assert plot_popularity(compare({"a": result([0.5, 0.1])})) is None


def test_what_has_nothing_to_show_is_left_out():
    assert len(pictures(compare({"a": result([0.5, 0.1])}))) == 1
    assert [*pictures(compare(real()))] == ["ndcg@10 of each model", "Gain of ours over each"]
