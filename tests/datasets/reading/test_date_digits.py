import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.reading.date_digits import may_spell_dates, seconds_of_digits

FORMS = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
TIMES = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2099, 12, 31, 23, 59, 59))


@given(st.lists(st.tuples(TIMES, st.sampled_from([*FORMS])), max_size=5))
def test_numbers_are_the_times_that_the_calendar_spells_so(times):
    numbers, expected = [], []
    for time, length in times:
        text = time.strftime(FORMS[length])
        spelled = dt.datetime.strptime(text, FORMS[length]).replace(tzinfo=dt.UTC)
        numbers.append(int(text))
        expected.append(int(spelled.timestamp()))
    seconds, spelled = seconds_of_digits(np.array(numbers, dtype=np.int64))
    assert spelled.all()
    assert seconds.tolist() == expected


@pytest.mark.parametrize(
    "number",
    [
        0, -20260125, 2026, 202613, 20260230, 20250229, 20260001, 20260132, 19691231, 21000101,
        2026012524, 202601252360, 20260125235960, 1767225600, 1767225600000, 2026012, 202601251,
    ],
)  # fmt: skip
def test_other_numbers_spell_nothing(number):
    seconds, spelled = seconds_of_digits(np.array([number, 20240229]))
    assert spelled.tolist() == [False, True]
    assert seconds.tolist() == [0, int(dt.datetime(2024, 2, 29, tzinfo=dt.UTC).timestamp())]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (20260101, 20261231, True), (20260101.0, 20260102.0, True), (2026010100, 2026123123, True),
        (0, 20260101, False), (20260101, 2026010100, False), (1_700_000_000, 1_767_225_600, False),
        (20991231, 20991232, True), (20991231, 21000101, False), (2026, 2027, False),
    ],
)  # fmt: skip
def test_numbers_of_one_length_may_all_be_dates(low, high, expected):
    assert may_spell_dates(low, high) is expected
