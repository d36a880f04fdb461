import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsparse.datasets.parts import PART_NAMES
from recsparse.errors import InputError
from tests.parted import logs, parts, shares


@given(logs, st.integers(1, 3), st.integers(3, 6))
def test_leave_last_out_agrees_with_pandas(work, log, last, min_rows):
    users, times = log
    frame = pd.DataFrame({"user": users, "time": times}).reset_index()
    frame = frame.sort_values(["time", "index"])
    size = frame.groupby("user")["index"].transform("size")
    by_user = frame[(size >= min_rows) & (size > 2 * last)].groupby("user")["index"]
    found = parts(work, *log, kind="leave_last_out", last=last, min_rows=min_rows)
    assert found["test"] == sorted(by_user.tail(last))
    both = set(by_user.tail(2 * last))
    assert found["validation"] == sorted(both - set(found["test"]))
    assert found["validation_history"] == found["test_history"] == []


def test_leave_last_out_breaks_ties_in_time_by_the_item(work):
    assert parts(work, [7] * 4 + [3] * 3, [5, 9, 9, 9, 2, 1, 2], kind="leave_last_out") == {
        "train": [0, 1, 5], "validation": [2, 4], "test": [3, 6],
        "validation_history": [], "test_history": [],
    }  # fmt: skip


@given(logs, shares, shares)
def test_global_time_starts_each_part_at_the_latest_time_with_enough_rows(
    work, log, validation, test
):
    users, times = log
    size = len(users)
    assume(size)
    found = parts(work, *log, kind="global_time", validation=validation, test=test)
    num_test = round(size * test)
    num_later = num_test + round(size * validation)
    test_from, validation_from = (
        max(time for time in times if (times >= time).sum() >= max(least, 1))
        for least in (num_test, num_later)
    )
    assert found["test"] == np.flatnonzero(times >= test_from).tolist()
    between = (times >= validation_from) & (times < test_from)
    assert found["validation"] == np.flatnonzero(between).tolist()


@given(logs)
def test_global_time_leaves_no_time_on_both_sides(work, log):
    assume(len(log[0]))
    found = parts(work, *log, kind="global_time", validation=0.3, test=0.3)
    times = [log[1][found[name]] for name in PART_NAMES[:3]]
    for earlier, later in ((0, 1), (1, 2), (0, 2)):
        assert times[earlier].max(initial=-1) < times[later].min(initial=99)


@given(logs, st.integers(0, 20), st.integers(1, 20))
def test_global_time_starts_parts_at_given_times(work, log, first, length):
    start = "1970-01-01T00:00:{:02}"
    settings = {"validation_from": start.format(first), "test_from": start.format(first + length)}
    found = parts(work, *log, kind="global_time", **settings)
    times = log[1]
    assert found["train"] == np.flatnonzero(times < first).tolist()
    assert found["test"] == np.flatnonzero(times >= first + length).tolist()


def test_given_times_are_of_utc_unless_they_name_another_zone(work):
    settings = {"validation_from": "1970-01-01T01:00:02+01:00", "test_from": "1970-01-01T00:00:04"}
    found = parts(work, [0] * 6, kind="global_time", **settings)
    assert (found["validation"], found["test"]) == ([2, 3], [4, 5])


def test_global_time_takes_rows_of_any_user(work):
    assert parts(work, range(10), kind="global_time")["test"] == [9]


@pytest.mark.parametrize("kind", ["leave_last_out", "global_time"])
def test_a_split_by_time_needs_every_time(work, kind):
    message = rf"the split '{kind}' needs a time for every row, but 2 of 4 have none; name the col"
    with pytest.raises(InputError, match=message):
        parts(work, [0] * 4, [1, None, 3, None], kind=kind)
