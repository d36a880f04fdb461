from recsparse.config.meanings import meanings_of, summary_of


class Lower:
    """What is below.

    Attributes:
        depth: In metres, which
            may take two lines.
        name: Of the lake.
    """


class Upper(Lower):
    """What is above.

    Attributes:
        name: Of the sky.
    """


def test_meanings_are_on_one_line_and_those_of_the_class_win_over_its_bases():
    assert meanings_of(Upper) == {
        "depth": "In metres, which may take two lines.",
        "name": "Of the sky.",
    }
    assert summary_of(Upper) == "What is above."


def test_a_class_that_says_nothing_has_no_meanings():
    class Silent:
        pass

    assert meanings_of(Silent) == {}
    assert summary_of(Silent) == ""
