import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.synthetic import synthetic_log
from recsparse.errors import InputError


def pairs_of(log):
    return list(zip(*(log.table[name].to_pylist() for name in ("user_id", "item_id")), strict=True))


@given(st.integers(1, 8), st.integers(1, 8), st.floats(0, 1), st.integers(0, 99), st.data())
def test_any_number_of_distinct_rows_up_to_all_pairs(users, items, share, seed, data):
    num_rows = round(share * users * items)
    groups = data.draw(st.integers(1, items))
    log = synthetic_log(users, items, num_rows, seed, groups)
    pairs = pairs_of(log)
    assert len(set(pairs)) == len(pairs) == num_rows
    assert all(0 <= user < users and 0 <= item < items for user, item in pairs)
    assert log.items["item_id"].to_pylist() == list(range(items))


def test_the_same_seed_gives_the_same_log():
    one, two, other = (synthetic_log(30, 20, 100, seed) for seed in (0, 0, 1))
    assert one.table == two.table
    assert one.items == two.items
    assert one.user_group.tolist() == two.user_group.tolist()
    assert one.table != other.table


def test_rows_stay_within_the_group_as_often_as_affinity_says():
    log = synthetic_log(5000, 500, 4000, seed=0, num_groups=4, affinity=0.6)
    user, item = np.array(pairs_of(log)).T
    within = (log.user_group[user] == log.item_group[item]).mean()
    # One draw in four that may fall anywhere falls into the group by chance.
    assert within == pytest.approx(0.6 + 0.4 * 0.25, abs=0.04)


def test_an_affinity_of_one_never_leaves_the_group():
    log = synthetic_log(200, 60, 500, seed=0, num_groups=3, affinity=1.0)
    user, item = np.array(pairs_of(log)).T
    assert (log.user_group[user] == log.item_group[item]).all()


def test_popularity_falls_like_one_over_the_place():
    log = synthetic_log(20_000, 100, 20_000, seed=0, num_groups=1)
    counts = np.sort(np.bincount(log.table["item_id"].to_numpy(), minlength=100))[::-1]
    slope = np.polyfit(np.log(np.arange(1, 51)), np.log(counts[:50]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.1)


def test_groups_are_of_nearly_equal_size():
    log = synthetic_log(10, 7, 5, seed=0, num_groups=3)
    assert sorted(np.bincount(log.user_group).tolist()) == [3, 3, 4]
    assert sorted(np.bincount(log.item_group).tolist()) == [2, 2, 3]


def test_ratings_tell_the_group_and_times_rise():
    log = synthetic_log(100, 40, 800, seed=0)
    user, item = np.array(pairs_of(log)).T
    within = log.user_group[user] == log.item_group[item]
    ratings = log.table["rating"].to_numpy()
    assert set(ratings[within]) == {4.0, 5.0}
    assert set(ratings[~within]) == {1.0, 2.0, 3.0}
    assert (np.diff(log.table["timestamp"].to_numpy()) >= 0).all()


def test_the_words_of_a_title_tell_the_group_of_the_item():
    log = synthetic_log(5, 50, 10, seed=0)
    for title, group in zip(log.items["title"].to_pylist(), log.item_group, strict=True):
        own = [word for word in title.split() if word.startswith("group")]
        assert len(own) == 3
        assert all(word.startswith(f"group{group}word") for word in own)


def test_nobody_and_nothing_give_an_empty_log_with_its_columns():
    log = synthetic_log(0, 1, 0, seed=0, num_groups=1)
    assert log.table.num_rows == 0
    assert log.table.column_names == ["user_id", "item_id", "rating", "timestamp"]


def test_more_rows_than_pairs_are_refused():
    with pytest.raises(InputError, match="0 to num_users × num_items = 6, but got 7"):
        synthetic_log(2, 3, 7, seed=0, num_groups=1)


@pytest.mark.parametrize(("groups", "affinity"), [(0, 0.5), (4, 0.5), (2, -0.1), (2, 1.1)])
def test_groups_and_affinity_out_of_range_are_refused(groups, affinity):
    with pytest.raises(InputError, match=f"but got {groups} and {affinity}"):
        synthetic_log(5, 3, 2, 0, groups, affinity)
