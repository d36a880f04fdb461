import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.building import seeded_order as shuffle
from recsparse.datasets.building.seeded_order import Keys, mixed, place_of_user
from tests.parted import hashes, logs, sorted_log


def by_user_and_key(users, key):
    """Return the place of each row among those of its user, by key, then in their order."""
    frame = pd.DataFrame({"user": users, "key": key})
    order = frame.sort_values(["user", "key"], kind="stable")
    return order.groupby("user").cumcount().sort_index().tolist()


@given(logs, st.integers(0, 9))
def test_rows_are_ordered_by_the_upper_bits_of_their_keys(log, seed):
    rows = sorted_log(log[0])
    key = hashes(len(rows), seed) & ~np.uint64(2**60 - 1) | np.arange(len(rows), dtype=np.uint64)
    assert place_of_user(rows, key).tolist() == by_user_and_key(rows.user, key)


def test_fewer_bits_of_the_key_are_never_used_in_a_fuller_block():
    # Keys that agree but for the last of the bits that count, and but for the first that does not.
    last = np.uint64(2 ** (64 - shuffle._KEY_BITS))
    key = np.array([last, 0, 0, last // 2, 0], dtype=np.uint64)
    rows = sorted_log([0, 0, 1, 1, 1])
    assert place_of_user(rows, key).tolist() == [1, 0, 0, 1, 2]
    more = sorted_log([0, 0, 1, 1, 1, *range(2, 5000)])
    more_keys = np.append(key, np.zeros(4998, dtype=np.uint64))
    assert place_of_user(more, more_keys)[:5].tolist() == [1, 0, 0, 1, 2]


def test_a_block_too_large_for_one_number_a_row_is_sorted_by_several(monkeypatch):
    rows = sorted_log(np.repeat(range(9), 50))
    key = hashes(len(rows))
    monkeypatch.setattr(shuffle, "_KEY_BITS", 60)
    assert place_of_user(rows, key).tolist() == by_user_and_key(rows.user, key)


def mixed_of_python(number):
    """The finaliser of SplitMix64, in integers of any size."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_numbers_are_scrambled_as_splitmix64_says(numbers):
    found = mixed(np.array(numbers, dtype=np.uint64))
    assert found.tolist() == [mixed_of_python(number) for number in numbers]


def test_keys_depend_on_the_seed_and_on_which_axis_it_is():
    same = hashes(3)
    first, again, other = (Keys.of(same, same, seed) for seed in (0, 0, -1))
    assert first.users.tolist() == again.users.tolist() != other.users.tolist()
    assert first.users.tolist() != first.items.tolist()
