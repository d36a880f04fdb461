import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsparse.datasets.parts import PART_NAMES, TEST, TRAIN, VALIDATION
from tests.parted import logs, parts, random_log, shares

KINDS = ["random", "leave_last_out", "global_time", "held_out_users", "held_out_items"]


@given(logs, st.sampled_from(KINDS), shares, shares, st.integers(0, 9))
def test_every_row_is_in_exactly_one_part(work, log, kind, validation, test, seed):
    assume(kind != "global_time" or len(log[0]))
    found = parts(work, *log, seed=seed, kind=kind, validation=validation, test=test)
    assert sorted(place for rows in found.values() for place in rows) == list(range(len(log[0])))


@given(logs, st.sampled_from(KINDS), st.sampled_from([1, 3, 7, 1000]))
def test_the_blocks_of_rows_do_not_matter(work, log, kind, block_rows):
    assume(kind != "global_time" or len(log[0]))
    assert parts(work, *log, kind=kind) == parts(work, *log, kind=kind, block_rows=block_rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_and_times_need_none(work, kind):
    log = random_log(20, 300)
    first, again, other = (parts(work, *log, seed=seed, kind=kind) for seed in (0, 0, 1))
    assert first == again
    assert (first == other) == (kind in ("leave_last_out", "global_time"))


@given(logs, shares, shares)
def test_random_takes_its_share_of_each_users_rows(work, log, validation, test):
    found = parts(work, *log, kind="random", validation=validation, test=test)
    users = log[0]
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


def test_random_takes_each_row_equally_often(work):
    taken = [
        parts(work, [0] * 10, seed=seed, kind="random", test=0.2)["test"] for seed in range(100)
    ]
    count = np.bincount(np.ravel(taken), minlength=10)
    # 100 draws of 2 rows of 10: 20 a row, with a standard deviation of 4.
    assert count == pytest.approx([20] * 10, abs=16)


def test_a_new_user_changes_no_random_choice_of_rows_of_another(work):
    users = np.repeat([0, 1, 2, 3], [300, 30, 30, 30])
    more = np.append(users, np.repeat(np.arange(4, 1504), 2))
    found, again = (parts(work, each, kind="random", block_rows=5000) for each in (users, more))
    assert found["test"]
    for name in ("validation", "test"):
        assert again[name] == found[name]


def test_a_new_user_changes_neither_the_order_of_held_out_users_nor_what_of_them_is_seen(work):
    users = np.repeat(range(40), 5)
    more = np.append(users, [40] * 5)
    settings = {"kind": "held_out_users", "fold_in": 0.5, "test": 0.5, "validation": 0.3}
    found, again = (parts(work, each, **settings) for each in (users, more))
    roles = {}
    for each, owner in ((found, users), (again, more)):
        for name in PART_NAMES[:3]:
            for user in set(owner[each[name]]) - {40}:
                roles.setdefault(user, []).append(PART_NAMES[:3].index(name))
    # Test users come first, then those of validation: one more user moves at most the last ones.
    assert sum(before != after for before, after in roles.values()) <= 2
    for name in ("validation_history", "test_history"):
        for user in set(users[found[name]]) & set(more[again[name]]):
            seen = [{p for p in each[name] if more[p] == user} for each in (found, again)]
            assert seen[0] == seen[1]


@given(logs, shares, shares, st.sampled_from([0.01, 0.5, 0.8, 0.99]))
def test_held_out_users_are_disjoint_and_seen_in_part(work, log, validation, test, fold_in):
    settings = {"validation": validation, "test": test, "fold_in": fold_in}
    found = parts(work, *log, kind="held_out_users", **settings)
    user_of = pd.Series(log[0])
    owners = {name: set(user_of[places]) for name, places in found.items()}
    assert owners["validation_history"] == owners["validation"]
    assert owners["test_history"] == owners["test"]
    assert len(owners["train"] | owners["validation"] | owners["test"]) == user_of.nunique()
    assert sum(len(owners[name]) for name in PART_NAMES[:3]) == user_of.nunique()
    num_long = int((user_of.value_counts() >= 3).sum())
    assert len(owners["test"]) == round(num_long * test)
    assert len(owners["validation"]) == round(num_long * validation)
    for part in ("validation", "test"):
        seen = user_of[found[f"{part}_history"]].value_counts()
        for user, size in user_of[user_of.isin(owners[part])].value_counts().items():
            assert seen[user] == min(max(round(size * fold_in), 1), size - 1)


@pytest.mark.parametrize(("fold_in", "seen"), [(0.01, 1), (0.5, 2), (0.99, 4 - 1)])
def test_held_out_users_have_a_row_to_see_and_a_row_to_predict(work, fold_in, seen):
    users = [user for user in range(20) for _ in range(4)]
    found = parts(work, users, kind="held_out_users", fold_in=fold_in)
    for part in ("validation", "test"):
        assert len(found[f"{part}_history"]) == 2 * seen
        assert len(found[part]) == 2 * (4 - seen)


@given(logs, st.integers(2, 5), st.integers(0, 9))
def test_the_folds_of_random_cover_every_row_of_long_users_once(work, log, folds, seed):
    settings = {"kind": "random", "folds": folds, "validation": 0.2, "seed": seed}
    found = [parts(work, *log, **settings, fold=fold) for fold in range(folds)]
    users = pd.Series(log[0])
    long_enough = np.flatnonzero(users.groupby(users).transform("size") >= 3).tolist()
    assert sorted(place for fold in found for place in fold["test"]) == long_enough
    for user, size in users[long_enough].value_counts().items():
        of_user = set(users.index[users == user])
        tested = [len(of_user & set(fold["test"])) for fold in found]
        assert max(tested) - min(tested) <= 1
        for fold in found:
            assert len(of_user & set(fold["validation"])) == round(size * 0.2)


def test_short_users_do_not_all_fill_the_first_fold(work):
    users = [user for user in range(60) for _ in range(3)]
    sizes = [len(parts(work, users, kind="random", folds=5, fold=f)["test"]) for f in range(5)]
    # 180 rows over 5 folds; a user has a row in three of them.
    assert sizes == pytest.approx([180 / 5] * 5, abs=15)


@given(logs, st.integers(2, 5))
def test_the_folds_of_held_out_users_cover_every_long_user_once(work, log, folds):
    settings = {"kind": "held_out_users", "folds": folds, "validation": 0.2}
    found = [parts(work, *log, **settings, fold=fold) for fold in range(folds)]
    users = pd.Series(log[0])
    tested = [user for fold in found for user in users[fold["test"]].unique()]
    assert sorted(tested) == sorted(set(users[users.groupby(users).transform("size") >= 3]))
    for fold in found:
        assert not set(users[fold["test"]]) & set(users[fold["train"]])


@given(logs, st.integers(0, 9), shares)
def test_given_parts_stand_and_validation_is_drawn_where_there_is_none(work, log, seed, share):
    drawn = np.random.default_rng(seed).choice([TRAIN, TEST], len(log[0]), p=[0.8, 0.2])
    found = parts(work, *log, given=drawn, kind="given", validation=share, seed=seed)
    assert found["test"] == np.flatnonzero(drawn == TEST).tolist()
    training = pd.Series(log[0])[drawn == TRAIN]
    for user, size in training.value_counts().items():
        of_user = training.index[training == user]
        count = round(size * share) if size >= 3 else 0
        assert len(set(of_user) & set(found["validation"])) == count
    assert sorted(found["train"] + found["validation"]) == training.index.tolist()


@given(logs, st.integers(0, 9))
def test_given_validation_rows_stand_too(work, log, seed):
    drawn = np.random.default_rng(seed).integers(0, 3, len(log[0]))
    assume((drawn == VALIDATION).any())
    found = parts(work, *log, given=drawn, kind="given")
    for number, name in enumerate(PART_NAMES[:3]):
        assert found[name] == np.flatnonzero(drawn == number).tolist()


@pytest.mark.parametrize("kind", ["random", "leave_last_out", "held_out_users"])
def test_users_with_too_few_rows_stay_in_training(work, kind):
    users = [0] * 4 + [1] * 5 + [2] * 6 + [3] * 7 + [4] * 8
    found = parts(work, users, kind=kind, min_rows=6, validation=0.3, test=0.3)
    assert set(range(4 + 5)) <= set(found["train"])
    assert max(found["test"]) >= 4 + 5


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_in_training_or_by_time_in_the_test(work, kind):
    found = parts(work, [0], kind=kind)
    assert found["test" if kind == "global_time" else "train"] == [0]


@pytest.mark.parametrize("kind", ["random", "held_out_users", "held_out_items"])
def test_other_splits_need_no_times(work, kind):
    users = [user for user in range(10) for _ in range(10)]
    assert parts(work, users, [None] * 100, kind=kind)["test"]
