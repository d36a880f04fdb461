import math

import pandas as pd
import pytest

from recsparse.config.search_space import Range
from recsparse.stages.tuning.pictures import plot_settings, plot_trials

TRIALS = pd.DataFrame(
    {
        "trial": [3, 1, 2, 4, 5],
        "rate": [0.1, 0.01, 1.0, 0.2, 0.5],
        "loss": ["bpr", "softmax", "bpr", "bpr", "softmax"],
        "fixed": [7, 7, 7, 7, 7],
        "ndcg@10": [0.4, 0.3, 0.2, 0.25, math.nan],
        "state": ["complete", "complete", "complete", "pruned", "failed"],
        "seconds": [1.0] * 5,
        "reason": [""] * 5,
    }
)
SPACE = {"fixed": [7], "loss": ["bpr", "softmax"], "rate": Range(0.01, 1.0, log=True)}


def lines(axes):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines
    }


def test_trials_stand_in_their_order_with_the_best_so_far():
    (axes,) = plot_trials(TRIALS, "ndcg@10").axes
    drawn = lines(axes)
    assert drawn["complete"] == ([1, 2, 3], [0.3, 0.2, 0.4])
    assert drawn["best so far"] == ([1, 2, 3], [0.3, 0.3, 0.4])
    assert drawn["pruned"] == ([4], [0.25])
    assert drawn["failed"][0] == [5]
    assert axes.get_ylabel() == "validation ndcg@10"


def test_of_an_error_the_best_is_the_least():
    (axes,) = plot_trials(TRIALS.rename(columns={"ndcg@10": "rmse"}), "rmse").axes
    assert lines(axes)["best so far"] == ([1, 2, 3], [0.3, 0.2, 0.2])


def test_settings_that_differ_have_a_panel_each_the_important_first():
    importances = {"rate": 0.75, "loss": 0.25}
    panels = plot_settings(TRIALS, "ndcg@10", SPACE, importances).axes
    assert [axes.get_title() for axes in panels] == [
        "rate, 75% of the difference", "loss, 25% of the difference",
    ]  # fmt: skip
    assert panels[0].get_xscale() == "log"
    assert lines(panels[0])["complete"] == ([0.1, 0.01, 1.0], [0.4, 0.3, 0.2])
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["bpr", "softmax"]
    assert lines(panels[1])["complete"][0] == [0, 1, 0]


@pytest.mark.parametrize("rows", [1, 2])
def test_a_search_of_one_trial_has_pictures_too(rows):
    trials = TRIALS.iloc[:rows]
    assert plot_trials(trials, "ndcg@10").axes
    assert len(plot_settings(trials, "ndcg@10", {"fixed": [7]}, {}).axes) == 1
