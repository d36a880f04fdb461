import pytest

from recsparse.evaluation.pictures import plot_comparison
from tests.evaluation.results import METRIC, three_models


def test_the_picture_has_a_bar_a_model_and_the_best_on_top():
    figure = plot_comparison(three_models(), METRIC)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["far", "near", "best"]
    means = {model: one.mean()[METRIC] for model, one in three_models().items()}
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([means["far"], means["near"], means["best"]])
    assert METRIC in axes.get_xlabel()
