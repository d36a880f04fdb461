import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.whole_part import PartCounts, WholePart, part_counts, whole_part
from recsparse.errors import InputError
from tests.prepared import prepared, triples

BY_TIME = ["split.kind=global_time", "split.validation=0.2", "split.test=0.2"]
KEEP = "log.duplicates=keep"
rows_of_a_log = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(1, 3)), min_size=8, max_size=40
)
kinds = st.sampled_from(["random", "leave_last_out", "global_time", "held_out_users"])


def cells(part, matrix):
    """The cells of a matrix by ids, and what is in them."""
    users, items = part.user_ids.to_pylist(), part.items.ids.to_pylist()
    coo = matrix.tocoo()
    return {
        (users[row], items[column]): value
        for row, column, value in zip(coo.row, coo.col, coo.data.tolist(), strict=True)
    }


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
    part = whole_part(data, "test")
    assert part.user_ids.to_pylist() == list(dict.fromkeys(user for user, _, _ in targets))
    assert cells(part, part.targets) == summed(targets)
    assert cells(part, part.target_rows) == summed((user, item, 1) for user, item, _ in targets)
    assert cells(part, part.history) == summed(history)
    trained_users, trained_items = {row[0] for row in train}, {row[1] for row in train}
    assert part.is_new.tolist() == [user not in trained_users for user in part.user_ids.to_pylist()]
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
        users_without_history=len(without),
        rows_of_users_without_history=sum(row[0] in without for row in targets),
    )


def given_parts(folder, rows):
    """A dataset of rows of user, item, part and time."""
    user, item, part, time = zip(*rows, strict=True)
    pairs = [*zip(user, item, strict=True)]
    table = {"times": time, "part": pa.array(part)}
    return prepared(folder, pairs, ["split.kind=given"], **table)


def test_of_a_new_user_nothing_is_known_that_is_not_before_the_first_test_row(tmp_path):
    data = given_parts(
        tmp_path,
        [
            ("old", "a", "train", 1), ("old", "b", "train", 9), ("old", "c", "validation", 8),
            ("old", "d", "test", 2),
            ("new", "a", "validation", 3), ("new", "b", "validation", 5),
            ("new", "c", "validation", 7), ("new", "d", "test", 5), ("new", "e", "test", 6),
            ("none", "a", "validation", 4), ("none", "b", "test", 4),
        ],
    )  # fmt: skip
    part = whole_part(data, "test")
    # What the split has given of a user of training, it has given to the training as well.
    assert cells(part, part.history).keys() == {
        ("old", "a"), ("old", "b"), ("old", "c"), ("new", "a"),
    }  # fmt: skip
    assert cells(part, part.times) == {
        ("old", "a"): 1, ("old", "b"): 9, ("old", "c"): 8, ("new", "a"): 3,
    }  # fmt: skip
    assert part_counts(part, part).users_without_history == 1


def test_without_times_new_users_have_all_their_rows_of_the_validation(tmp_path):
    rows = [("old", "a", "train"), ("new", "a", "validation"), ("new", "b", "test")]
    user, item, part = zip(*rows, strict=True)
    pairs = [*zip(user, item, strict=True)]
    times = [None] * len(rows)
    data = prepared(tmp_path, pairs, ["split.kind=given"], times, part=pa.array(part))
    whole = whole_part(data, "test")
    assert cells(whole, whole.history) == {("new", "a"): 1.0}
    assert whole.is_new.tolist() == [True]
    assert whole.times is None


def hand_made():
    """Two users, one of them new, and items a, b of the training, c, d not."""
    return WholePart(
        user_ids=pa.array(["old", "new"]),
        is_new=np.array([False, True]),
        items=Vocabulary(pa.array(["a", "b", "c", "d"])),
        num_known=2,
        history=csr_matrix([[1.0, 0, 2, 0], [0, 0, 0, 0]]),
        targets=csr_matrix([[0, 3.0, 0, 4], [0, 0, 5, 0]]),
        target_rows=csr_matrix([[0, 1, 0, 2], [0, 0, 1, 0]]),
        times=csr_matrix([[7, 0, 8, 0], [0, 0, 0, 0]]),
    )


def test_the_items_of_a_model_are_matched_by_id_whatever_their_order():
    part = hand_made().by_catalogue(Vocabulary(pa.array(["c", "foreign", "b"])))
    assert part.history.toarray().tolist() == [[2, 0, 0], [0, 0, 0]]
    assert part.times.toarray().tolist() == [[8, 0, 0], [0, 0, 0]]
    # Behind its own items come a and d, which it does not know.
    assert part.targets.toarray().tolist() == [[0, 0, 3, 0, 4], [5, 0, 0, 0, 0]]
    assert part.user_ids.to_pylist() == ["old", "new"]


def test_a_model_that_knows_nothing_has_no_history_and_misses_everything():
    part = hand_made().by_catalogue(Vocabulary(pa.array(["foreign"])))
    assert part.history.nnz == part.times.nnz == 0
    assert part.history.shape == (2, 1)
    assert part.targets.toarray().tolist() == [[0, 0, 3, 0, 4], [0, 0, 0, 5, 0]]


@pytest.mark.parametrize(
    ("include", "users"), [("all", ["old", "new"]), ("known", ["old"]), ("new", ["new"])]
)
def test_users_of_training_and_others_are_told_apart(include, users):
    part = hand_made().of_users(include)
    assert part.user_ids.to_pylist() == users
    assert part.history.shape == part.targets.shape == (len(users), 4)
    assert part.num_rows == {"all": 4, "known": 3, "new": 1}[include]


def test_users_without_a_target_that_counts_are_left_out():
    whole = hand_made()
    part = whole.of_targets(np.array([True, True, False, False]))
    assert part.user_ids.to_pylist() == ["old"]
    assert part.targets.toarray().tolist() == [[0, 3, 0, 0]]
    assert part.history.toarray().tolist() == [[1, 0, 2, 0]]
    counts = part_counts(whole, part)
    assert (counts.users, counts.rows) == (2, 4)
    assert (counts.evaluated_users, counts.evaluated_rows) == (1, 1)
    assert (counts.unseen_items, counts.rows_of_unseen_items) == (2, 3)
    nobody = whole.of_targets(np.zeros(4, dtype=bool))
    assert len(nobody.user_ids) == nobody.num_rows == 0


def test_targets_are_counted_by_item():
    assert hand_made().of_items(np.array([False, True, False, True])) == (2, 3)
    assert hand_made().of_items(np.zeros(4, dtype=bool)) == (0, 0)
