import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsparse.data_config import SplitConfig
from recsparse.datasets.schema import interactions_schema
from recsparse.datasets.split import PART_NAMES, split_interactions
from recsparse.errors import InputError

KINDS = ["random", "leave_last_out", "global_time", "held_out_users"]
INT64 = pa.int64()


def interactions(users, times=None, user_type=INT64):
    """Return rows whose item is their place in the log."""
    size = len(users)
    columns = [
        pa.array(users, user_type), list(range(size)), [1.0] * size,
        list(times) if times is not None else list(range(size)), [None] * size,
    ]  # fmt: skip
    return pa.table(columns, schema=interactions_schema(user_type, pa.int64()))


def random_log(num_users, num_rows, seed=0):
    rng = np.random.default_rng(seed)
    return interactions(rng.integers(0, num_users, num_rows), rng.integers(0, 20, num_rows))


def places(split):
    return {name: getattr(split, name)["item_id"].to_pylist() for name in PART_NAMES}


def parts(table, seed=0, **settings):
    return places(split_interactions(table, SplitConfig(**settings), seed))


logs = st.builds(random_log, st.integers(1, 5), st.integers(0, 60), st.integers(0, 99))
shares = st.sampled_from([0.1, 0.2, 0.3, 0.45])


@given(logs, st.sampled_from(KINDS), shares, shares, st.integers(0, 9))
def test_every_row_is_in_exactly_one_part_in_the_order_of_the_log(table, kind, val, test, seed):
    config = SplitConfig(kind=kind, validation=val, test=test)
    try:
        split = split_interactions(table, config, seed)
    except InputError:
        assume(False)
    found = places(split)
    assert sorted(place for rows in found.values() for place in rows) == list(range(table.num_rows))
    for name, rows in found.items():
        assert getattr(split, name).equals(table.take(pa.array(rows, pa.int64())))
        assert rows == sorted(rows)
        assert split.counts[f"{name}_rows"] == len(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_and_times_need_none(kind):
    table = random_log(20, 300)
    first, again, other = (parts(table, seed, kind=kind) for seed in (0, 0, 1))
    assert first == again
    assert (first == other) == (kind in ("leave_last_out", "global_time"))


@given(logs, shares, shares)
def test_random_takes_its_share_of_each_users_rows(table, validation, test):
    try:
        found = parts(table, kind="random", validation=validation, test=test)
    except InputError:
        assume(False)
    users = np.array(table["user_id"].to_pylist())
    for user in set(users.tolist()):
        of_user = np.flatnonzero(users == user)
        size = len(of_user)
        in_test = np.isin(of_user, found["test"]).sum()
        in_validation = np.isin(of_user, found["validation"]).sum()
        if size < 3:
            assert in_test == in_validation == 0
        else:
            # Python's round and NumPy's rint both round a half to the even number.
            assert in_test == round(size * test)
            assert in_validation == round(size * validation)


def test_random_takes_each_row_equally_often():
    table = interactions([0] * 10)
    taken = [parts(table, seed, kind="random", test=0.2)["test"] for seed in range(500)]
    count = np.bincount(np.ravel(taken), minlength=10)
    # 500 draws of 2 rows of 10: 100 a row, with a standard deviation of 9.
    assert count == pytest.approx([100] * 10, abs=40)


@given(logs)
def test_leave_last_out_agrees_with_pandas(table):
    frame = table.to_pandas().sort_values(["timestamp", "item_id"])
    long_enough = frame[frame.groupby("user_id")["item_id"].transform("size") >= 3]
    assume(len(long_enough))
    by_user = long_enough.groupby("user_id")["item_id"]
    found = parts(table, kind="leave_last_out")
    assert found["test"] == sorted(by_user.nth(-1))
    assert found["validation"] == sorted(by_user.nth(-2))
    assert found["validation_history"] == found["test_history"] == []


def test_leave_last_out_puts_equal_times_in_the_order_of_the_log():
    table = interactions([7] * 4 + [3] * 3, times=[5, 9, 9, 9, 2, 1, 2])
    assert parts(table, kind="leave_last_out") == {
        "train": [0, 1, 5], "validation": [2, 4], "test": [3, 6],
        "validation_history": [], "test_history": [],
    }  # fmt: skip


@given(logs, shares, shares)
def test_global_time_agrees_with_pandas(table, validation, test):
    size = table.num_rows
    num_test, num_validation = round(size * test), round(size * validation)
    assume(num_test and num_validation)
    found = parts(table, kind="global_time", validation=validation, test=test)
    by_time = table.to_pandas().sort_values(["timestamp", "item_id"])["item_id"].tolist()
    last = size - num_test
    assert found["test"] == sorted(by_time[last:])
    assert found["validation"] == sorted(by_time[last - num_validation : last])


@given(logs)
def test_global_time_never_tests_before_it_trains(table):
    try:
        split = split_interactions(table, SplitConfig(kind="global_time"), 0)
    except InputError:
        assume(False)
    times = [getattr(split, name)["timestamp"].to_pylist() for name in PART_NAMES[:3]]
    assert max(times[0]) <= min(times[1]) <= max(times[1]) <= min(times[2])


@given(
    st.integers(1, 40), st.integers(0, 400), shares, shares, st.sampled_from([0.01, 0.5, 0.8, 0.99])
)
def test_held_out_users_are_disjoint_and_seen_in_part(users, rows, validation, test, fold_in):
    table = random_log(users, rows)
    settings = {"validation": validation, "test": test, "fold_in": fold_in}
    try:
        found = parts(table, kind="held_out_users", **settings)
    except InputError:
        assume(False)
    user_of = pd.Series(table["user_id"].to_pylist())
    owners = {name: set(user_of[places]) for name, places in found.items()}
    assert owners["validation_history"] == owners["validation"]
    assert owners["test_history"] == owners["test"]
    assert len(owners["train"] | owners["validation"] | owners["test"]) == user_of.nunique()
    assert sum(len(owners[name]) for name in PART_NAMES[:3]) == user_of.nunique()
    num_long = int((user_of.value_counts() >= 3).sum())
    assert len(owners["validation"]) == round(num_long * validation)
    assert len(owners["test"]) == round(num_long * test)
    for part in ("validation", "test"):
        seen = user_of[found[f"{part}_history"]].value_counts()
        for user, size in user_of[user_of.isin(owners[part])].value_counts().items():
            assert seen[user] == min(max(round(size * fold_in), 1), size - 1)


@pytest.mark.parametrize(("fold_in", "seen"), [(0.01, 1), (0.5, 2), (0.99, 4 - 1)])
def test_held_out_users_have_a_row_to_see_and_a_row_to_predict(fold_in, seen):
    table = interactions([user for user in range(20) for _ in range(4)])
    found = parts(table, kind="held_out_users", fold_in=fold_in)
    for part in ("validation", "test"):
        assert len(found[f"{part}_history"]) == 2 * seen
        assert len(found[part]) == 2 * (4 - seen)


@pytest.mark.parametrize("kind", ["random", "leave_last_out", "held_out_users"])
def test_users_with_too_few_rows_stay_in_training_and_are_counted(kind):
    table = interactions([0] * 4 + [1] * 5 + [2] * 6 + [3] * 7 + [4] * 8)
    config = SplitConfig(kind=kind, min_rows=6, validation=0.3, test=0.3)
    split = split_interactions(table, config, 0)
    assert split.counts["users_with_too_few_rows"] == 2
    assert set(range(4 + 5)) <= set(places(split)["train"])
    assert max(places(split)["test"]) >= 4 + 5


def test_global_time_takes_rows_of_any_user():
    split = split_interactions(interactions(range(10)), SplitConfig(kind="global_time"), 0)
    assert places(split)["test"] == [9]
    assert "users_with_too_few_rows" not in split.counts


@pytest.mark.parametrize("kind", KINDS)
def test_users_named_by_strings_are_split_as_those_named_by_numbers(kind):
    table = random_log(9, 100)
    named = [f"user {user}" for user in table["user_id"].to_pylist()]
    texts = interactions(named, table["timestamp"].to_pylist(), pa.string())
    assert parts(texts, kind=kind) == parts(table, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_part_without_rows_is_an_error(kind, rows):
    message = rf"the split '{kind}' must leave rows in every part, but .* got none of {rows}; "
    with pytest.raises(InputError, match=message):
        parts(interactions([5] * rows), kind=kind)


def test_the_error_counts_the_users_that_are_too_short_for_the_split():
    message = (
        r"but validation and test got none of 4; 2 users have fewer than split\.min_rows = 3 rows; "
        r"give more rows, or other shares than split\.test = 0\.2 and split\.validation = 0\.1"
    )
    with pytest.raises(InputError, match=message):
        parts(interactions([0, 0, 1, 1]), kind="random", test=0.2)


@pytest.mark.parametrize("kind", ["random", "global_time", "held_out_users"])
def test_shares_that_leave_nothing_for_training_are_an_error(kind):
    # A share of 0.49 rounds to half of four rows, and of four users.
    table = interactions([user for user in range(4) for _ in range(4)])
    with pytest.raises(InputError, match="must leave rows in every part, but train got none of 16"):
        parts(table, kind=kind, validation=0.49, test=0.49)


@pytest.mark.parametrize("kind", ["leave_last_out", "global_time"])
def test_a_split_by_time_needs_every_time(kind):
    table = interactions([0] * 4, times=[1, None, 3, None])
    message = rf"the split '{kind}' needs a time for every row, but 2 of 4 have none; name the col"
    with pytest.raises(InputError, match=message):
        parts(table, kind=kind)


@pytest.mark.parametrize("kind", ["random", "held_out_users"])
def test_other_splits_need_no_times(kind):
    users = [user for user in range(10) for _ in range(10)]
    assert parts(interactions(users, times=[None] * 100), kind=kind)["test"]
