from recsparse.training.part_weights import plot_part_weights


def test_each_part_has_a_bar_as_long_as_its_weight():
    (axes,) = plot_part_weights(["ease", "ials", "ease"], [0.5, 1.0, 0.25]).axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 1.0, 0.25]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["ease 1", "ials", "ease 2"]
    assert axes.yaxis_inverted()
