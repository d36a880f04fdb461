import pytest

from recsparse.training.learning_curve import plot_learning_curve


def points(axes):
    return axes.lines[0].get_xydata().tolist()


def test_the_curve_shows_loss_and_quality_and_marks_the_best_epoch():
    epochs = {
        0: {"train_loss": 3.0, "validation_ndcg": 0.1},
        1: {"train_loss": 2.0, "validation_ndcg": 0.3},
        2: {"train_loss": 1.0, "validation_ndcg": 0.2},
    }
    loss_axes, quality_axes = plot_learning_curve(epochs).axes
    assert points(loss_axes) == [[0, 3.0], [1, 2.0], [2, 1.0]]
    assert points(quality_axes) == [[0, 0.1], [1, 0.3], [2, 0.2]]
    assert list(quality_axes.lines[1].get_xdata()) == [1, 1]
    assert loss_axes.get_title() == "best epoch 1: validation nDCG 0.3000"


def test_a_resumed_training_goes_on_counting():
    epochs = {7: {"train_loss": 3.0, "validation_ndcg": 0.1}, 8: {"train_loss": 2.0}}
    loss_axes, quality_axes = plot_learning_curve(epochs).axes
    assert points(loss_axes) == [[7, 3.0], [8, 2.0]]
    assert points(quality_axes) == [[7, 0.1]]
    assert loss_axes.get_title().startswith("best epoch 7:")


def test_without_validation_there_is_the_loss_alone():
    (axes,) = plot_learning_curve({0: {"train_loss": 3.0}, 1: {"train_loss": 2.0}}).axes
    assert points(axes) == [[0, 3.0], [1, 2.0]]


def test_no_epoch_gives_an_empty_picture():
    (axes,) = plot_learning_curve({}).axes
    assert points(axes) == []


def test_each_of_several_networks_has_a_panel():
    epochs = {
        0: {"0_a/train_loss": 3.0, "0_a/validation_ndcg": 0.4, "1_b/train_loss": 5.0},
        1: {"0_a/train_loss": 2.0, "0_a/validation_ndcg": 0.3},
    }
    first, second, quality = plot_learning_curve(epochs).axes
    assert points(first) == [[0, 3.0], [1, 2.0]]
    assert points(quality) == [[0, 0.4], [1, 0.3]]
    assert points(second) == [[0, 5.0]]
    assert first.get_title() == "0_a, best epoch 0: validation nDCG 0.4000"
    assert second.get_title() == "1_b"


@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 2), (0, 3), (7, 2), (0, 40), (3, 1000)])
def test_the_axis_counts_whole_epochs_however_many_there_are(first, count):
    epochs = {
        first + epoch: {"train_loss": 1.0, "validation_ndcg": 0.1, "b/train_loss": 2.0}
        for epoch in range(count)
    }
    figure = plot_learning_curve(epochs)
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert shown
        assert all(float(tick).is_integer() for tick in shown)
        assert not any("." in label for label in labels)
