from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.evaluated.part_counts import PartCounts, part_counts
from recsparse.datasets.evaluated.whole_part import WholePart, whole_part
from recsparse.datasets.parts import EvaluationPart
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from tests.prepared import prepared, triples
from tests.whole_parts import KEEP, cells, given_parts, lists_of

rows_of_a_log = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(1, 3)), min_size=8, max_size=40
)
kinds = st.sampled_from(["random", "leave_last_out", "global_time", "held_out_users"])


def summed(rows):
    total = {}
    for user, item, weight in rows:
        total[user, item] = total.get((user, item), 0) + weight
    return total


@settings(max_examples=25)
@given(rows_of_a_log, kinds, st.integers(0, 9))
def test_all_users_and_items_of_a_part_are_there_as_loops_over_rows_find_them(
    tmp_path_factory, rows, kind, seed
):
    overrides = [f"split.kind={kind}", f"seed={seed}", "split.test=0.2", "split.validation=0.2"]
    try:
        data = prepared(tmp_path_factory.mktemp("loops"), rows, [*overrides, KEEP])
    except InputError:
        assume(False)
    seen = ("test_history",) if kind == "held_out_users" else ("train", "validation")
    train, targets = triples(data, "train"), triples(data, "test")
    history = [row for row in triples(data, *seen) if row[0] in {user for user, _, _ in targets}]
    part = whole_part(data, "test").first_lists()
    users, items = part.user_ids.to_pylist(), part.items.ids.to_pylist()
    assert sorted(users) == sorted({user for user, _, _ in targets})
    assert part.lists.user.tolist() == [*range(len(users))]
    assert cells(part.lists.targets[:], users, items) == summed(targets)
    known = [len({row[1] for row in history if row[0] == user}) for user in users]
    assert part.history_lengths.tolist() == known
    rows_of_targets = summed((user, item, 1) for user, item, _ in targets)
    assert cells(part.target_rows, users, items) == rows_of_targets
    assert cells(part.lists.history[:], users, items) == summed(history)
    trained_users, trained_items = {row[0] for row in train}, {row[1] for row in train}
    assert part.is_new.tolist() == [user not in trained_users for user in users]
    assert part.num_known == len(trained_items)
    strange = [row for row in targets if row[1] not in trained_items]
    new = [row for row in targets if row[0] not in trained_users]
    without = {row[0] for row in targets} - {row[0] for row in history}
    assert part_counts(part, part) == PartCounts(
        users=len({row[0] for row in targets}),
        rows=len(targets),
        unseen_users=len({row[0] for row in new}),
        rows_of_unseen_users=len(new),
        unseen_items=len({row[1] for row in strange}),
        users_of_unseen_items=len({row[0] for row in strange}),
        rows_of_unseen_items=len(strange),
        evaluated_users=len({row[0] for row in targets}),
        evaluated_rows=len(targets),
        evaluated_lists=len({row[0] for row in targets}),
        users_without_history=len(without),
        rows_of_users_without_history=sum(row[0] in without for row in targets),
    )


def test_without_times_new_users_have_all_their_rows_of_the_validation(tmp_path):
    rows = [
        ("old", "a", "train", None), ("new", "a", "validation", None), ("new", "b", "test", None),
        ("new", "c", "test", None),
    ]  # fmt: skip
    whole = whole_part(given_parts(tmp_path, rows), "test")
    assert lists_of(whole) == [("new", {"a": 1}, {"b": 1, "c": 1}, None)]
    assert whole.is_new.tolist() == [True]


def hand_made():
    """Two users, the second new and with two lists, and items a, b of the training, c, d not."""
    once = Lists.of_part(
        EvaluationPart(
            pa.array(["old", "new", "new"]),
            csr_matrix([[1.0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 5, 0]]),
            csr_matrix([[0, 3.0, 0, 4], [6, 0, 5, 0], [6, 0, 0, 0]]),
            csr_matrix([[7, 0, 8, 0], [0, 0, 0, 0], [0, 0, 9, 0]]),
        )
    )
    return WholePart(
        user_ids=pa.array(["old", "new"]),
        is_new=np.array([False, True]),
        items=Vocabulary(pa.array(["a", "b", "c", "d"])),
        num_known=2,
        target_rows=csr_matrix([[0, 1, 0, 2], [1, 0, 1, 0]]),
        lists=replace(once, user=np.array([0, 1, 1])),
    )


def test_the_items_of_a_model_are_matched_by_id_whatever_their_order():
    part = hand_made().by_catalogue(Vocabulary(pa.array(["c", "foreign", "b"])))
    assert part.history[:].toarray().tolist() == [[2, 0, 0], [0, 0, 0], [5, 0, 0]]
    assert part.times[:].toarray().tolist() == [[8, 0, 0], [0, 0, 0], [9, 0, 0]]
    # Behind its own items come a and d, which it does not know.
    assert part.targets[:].toarray().tolist() == [
        [0, 0, 3, 0, 4], [5, 0, 0, 6, 0], [0, 0, 0, 6, 0],
    ]  # fmt: skip
    assert part.user.tolist() == [0, 1, 1]


def test_a_model_that_knows_nothing_has_no_history_and_misses_everything():
    part = hand_made().by_catalogue(Vocabulary(pa.array(["foreign"])))
    assert part.history[:].nnz == part.times[:].nnz == 0
    assert part.history.shape == (3, 1)
    assert part.targets[:].toarray().tolist() == [
        [0, 0, 3, 0, 4], [0, 6, 0, 5, 0], [0, 6, 0, 0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("include", "users"), [("all", ["old", "new"]), ("known", ["old"]), ("new", ["new"])]
)
def test_users_of_training_and_others_are_told_apart(include, users):
    part = hand_made().of_users(include)
    assert part.user_ids.to_pylist() == users
    assert part.target_rows.shape == (len(users), 4)
    assert [user for user, *_ in lists_of(part)] == {
        "all": ["old", "new", "new"], "known": ["old"], "new": ["new", "new"],
    }[include]  # fmt: skip
    assert part.num_rows == {"all": 5, "known": 3, "new": 2}[include]


def test_each_user_has_one_list_when_the_first_ones_are_left():
    part = hand_made().first_lists()
    assert [(user, targets) for user, _, targets, _ in lists_of(part)] == [
        ("old", {"b": 3, "d": 4}), ("new", {"a": 6, "c": 5}),
    ]  # fmt: skip
    assert part.num_rows == 5


def test_users_and_lists_without_a_target_that_counts_are_left_out():
    whole = hand_made()
    part = whole.of_targets(np.array([False, True, True, False]))
    assert lists_of(part) == [
        ("old", {"a": 1, "c": 2}, {"b": 3}, {"a": 7, "c": 8}), ("new", {}, {"c": 5}, {}),
    ]  # fmt: skip
    counts = part_counts(whole, part)
    assert (counts.users, counts.rows) == (2, 5)
    assert (counts.evaluated_users, counts.evaluated_rows, counts.evaluated_lists) == (2, 2, 2)
    assert (counts.unseen_items, counts.rows_of_unseen_items) == (2, 3)
    assert (counts.users_without_history, counts.rows_of_users_without_history) == (1, 1)
    alone = whole.of_targets(np.array([False, True, False, False]))
    assert alone.user_ids.to_pylist() == ["old"]
    assert alone.lists.user.tolist() == [0]
    nobody = whole.of_targets(np.zeros(4, dtype=bool))
    assert len(nobody.user_ids) == nobody.num_rows == len(nobody.lists) == 0


def test_targets_are_counted_by_item_once_whatever_the_number_of_lists():
    assert hand_made().of_items(np.array([True, True, False, True])) == (3, 4)
    assert hand_made().of_items(np.zeros(4, dtype=bool)) == (0, 0)


GRADED = [(1, "a"), (1, "b"), (1, "c"), (2, "a"), (2, "c"), (2, "b"), (3, "b"), (3, "c"), (3, "d")]
RATINGS = [1.0, 2.0, 5.0, 1.0, 2.0, 3.0, 1.0, 2.0, None]
LAST = ["split.kind=leave_last_out"]
HALF_LIFE = "log.half_life_days=0.00001"


def grades_of(data):
    part = whole_part(data, "test")
    users, items = part.user_ids.to_pylist(), part.items.ids.to_pylist()
    return cells(part.lists.targets[:], users, items)


@pytest.mark.parametrize("settings_", [LAST, [*LAST, HALF_LIFE]])
def test_targets_are_graded_by_their_ratings_whatever_their_age(tmp_path, settings_):
    data = prepared(tmp_path, GRADED, settings_, rating=RATINGS)
    # Item d has no rating, and counts by its weight.
    assert grades_of(data) == {(1, "c"): 5.0, (2, "b"): 3.0, (3, "d"): 1.0}
    # Of these items training knows b alone.
    known = data.evaluation_part("test").targets
    assert known.data.tolist() == [3.0]


def test_targets_are_graded_by_weights_where_the_log_has_any(tmp_path):
    rows = [(*row, weight + 1) for weight, row in enumerate(GRADED)]
    data = prepared(tmp_path, rows, [*LAST, HALF_LIFE], rating=RATINGS)
    assert grades_of(data) == {(1, "c"): 3.0, (2, "b"): 6.0, (3, "d"): 9.0}
