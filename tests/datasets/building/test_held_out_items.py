"""Items held out of training with all their rows, and targets of both kinds."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsparse.config.data import SplitConfig
from recsparse.config.toml_reader import load_config
from recsparse.errors import ConfigError, InputError
from recsparse.stages.rank_part import part_to_rank
from tests.prepared import prepared, triples

PARTS = ("train", "validation", "test")
HELD_OUT = ["split.kind=held_out_items", "split.known_targets=0"]
rows_of_a_log = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 14)), min_size=20, max_size=60, unique=True
)
shares = st.sampled_from([0.2, 0.35])


def items_of(data, *names):
    return {item for _, item, _ in triples(data, *names)}


@settings(max_examples=25, deadline=None)
@given(rows_of_a_log, shares, shares, st.integers(0, 9), st.booleans())
def test_every_row_of_a_held_out_item_is_in_its_part(
    tmp_path_factory, rows, test, validation, seed, timed
):
    overrides = [
        *HELD_OUT, f"split.test={test}", f"split.validation={validation}", f"seed={seed}",
    ]  # fmt: skip
    times = None if timed else [None] * len(rows)
    try:
        data = prepared(tmp_path_factory.mktemp("items"), rows, overrides, times)
    except InputError:
        assume(False)
    train, of_validation, of_test = (items_of(data, name) for name in PARTS)
    assert len(train | of_validation | of_test) == sum(map(len, (train, of_validation, of_test)))
    num_items = len({item for _, item in rows})
    assert len(of_test) == round(num_items * test)
    assert len(of_validation) == round(num_items * validation)
    assert data.unseen_items.ids.to_pylist() == sorted(of_test | of_validation)
    assert sum(len(triples(data, name)) for name in PARTS) == len(rows)


@settings(max_examples=25, deadline=None)
@given(rows_of_a_log, st.sampled_from([0.1, 0.25, 0.4]), st.integers(0, 9))
def test_known_targets_are_a_share_of_each_users_other_rows_in_both_parts(
    tmp_path_factory, rows, share, seed
):
    both = [*HELD_OUT, f"seed={seed}", "split.test=0.2", "split.validation=0.2"]
    try:
        alone = prepared(tmp_path_factory.mktemp("alone"), rows, both)
        data = prepared(
            tmp_path_factory.mktemp("both"), rows, [*both, f"split.known_targets={share}"]
        )
    except InputError:
        assume(False)
    # What is held out stays so.
    held_out = {name: items_of(alone, name) for name in ("validation", "test")}
    for name, items in held_out.items():
        kept = [row for row in triples(data, name) if row[1] in items]
        assert sorted(kept) == sorted(triples(alone, name))
    for user in {user for user, _ in rows}:
        others = [item for who, item, _ in triples(alone, "train") if who == user]
        size = round(len(others) * share) if len(others) >= 3 else 0
        for name, items in held_out.items():
            known = [
                item for who, item, _ in triples(data, name) if who == user and item not in items
            ]
            assert len(known) == size
            assert set(known) <= set(others)


def test_items_are_drawn_equally_often(tmp_path):
    rows = [(user, item) for user in range(2) for item in range(10)]
    drawn = [
        items_of(prepared(tmp_path, rows, [*HELD_OUT, "split.test=0.2", f"seed={seed}"]), "test")
        for seed in range(40)
    ]
    count = np.bincount([item for items in drawn for item in items], minlength=10)
    # 40 draws of 2 items of 10: 8 an item, with a standard deviation of 2.5.
    assert count == pytest.approx([8] * 10, abs=8)


def test_a_user_of_held_out_items_alone_has_no_training_row(tmp_path):
    rows = [(user, item) for user in range(4) for item in range(10)]
    (gone, *_) = items_of(prepared(tmp_path, rows, HELD_OUT), "test")
    data = prepared(tmp_path, [*rows, (9, gone)], HELD_OUT)
    assert data.unseen_users.ids.to_pylist() == [9]


def test_training_is_told_to_have_targets_that_it_knows(tmp_path):
    rows = [(user, item) for user in range(4) for item in range(20)]
    data = prepared(tmp_path, rows, HELD_OUT)
    message = (
        r"the validation part must have users and items that training knows, but of its 8 rows "
        r"none has both; prepare the log with more split\.known_targets than 0, such as 0\.1"
    )
    with pytest.raises(InputError, match=message):
        part_to_rank(data, "validation")
    both = prepared(tmp_path, rows, HELD_OUT[:1])
    # By itself a tenth of the 16 rows of other items of each of 4 users, to the whole row.
    assert part_to_rank(both, "validation").targets.nnz == 4 * 2


def test_too_few_items_to_hold_out_are_an_error(tmp_path):
    message = r"must leave rows in every part, but validation and test got none of 12"
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, [(user, item) for user in range(4) for item in range(3)], HELD_OUT)


def test_folds_are_refused_where_they_mean_nothing():
    with pytest.raises(ConfigError, match="folds need kind random or held_out_users, but it is he"):
        load_config(overrides=[*HELD_OUT, "split.folds=5"])


def test_items_drawn_at_random_come_at_no_later_time():
    assert not SplitConfig(kind="held_out_items").looks_ahead
