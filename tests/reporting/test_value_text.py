import math

import numpy as np
import pytest

from recsparse.reporting.value_text import value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (123456.7, "123,457"),
        (-123456.7, "-123,457"),
        (math.nan, "–"),
        (np.float64("nan"), "–"),
        (99999.0, "1e+05"),
        ("text", "text"),
        (["one", 2000], "one\n2,000"),
        ([], ""),
    ],
)
def test_a_figure_reads_as_people_write_it(value, text):
    assert value_text(value) == text
