from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsparse.datasets.evaluated.whole_part import whole_part
from recsparse.errors import InputError
from tests.prepared import prepared
from tests.whole_parts import KEEP, given_parts, last_times, lists_by_loops, lists_of, summed

# A dataset needs two users and items, and rows in every part.
TRAINED = [
    ("a", 0, "train", 3), ("b", 1, "train", 3), ("a", 1, "validation", 4), ("a", 2, "test", 5),
]  # fmt: skip
PARTS = st.sampled_from(["train", "validation", "test", "test"])
given_rows = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 6), PARTS, st.one_of(st.integers(1, 6), st.none())
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


def check(data, name):
    """Compare the lists of a part with those of loops."""
    found, expected = lists_of(whole_part(data, name)), lists_by_loops(data, name)
    # A stable sort: the lists of one user stay in their order.
    found, expected = (sorted(some, key=lambda each: str(each[0])) for some in (found, expected))
    assert [user for user, *_ in found] == [user for user, *_ in expected]
    for (_, history, targets, times), (_, known, wanted) in zip(found, expected, strict=True):
        assert history == summed(known)
        assert targets == summed(wanted)
        assert times is None or times == last_times(known)


@settings(max_examples=40, deadline=None)
@given(given_rows)
def test_lists_of_given_parts_are_those_of_loops_over_rows(tmp_path_factory, rows):
    """Among the rows are equal times, none at all, repeated items, and users of one row."""
    rows = [*TRAINED, *((str(user), item, part, time) for user, item, part, time in rows)]
    data = given_parts(tmp_path_factory.mktemp("given"), rows)
    check(data, "test")
    check(data, "validation")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(1, 3)),
        min_size=8,
        max_size=40,
    ),
    st.sampled_from(
        ["random", "leave_last_out", "global_time", "held_out_users", "held_out_items"]
    ),
    st.sampled_from([(0.2, 0.2), (0.5, 0.4)]),
    st.integers(0, 9),
)
def test_lists_of_every_split_are_those_of_loops_over_rows(
    tmp_path_factory, rows, kind, shares, seed
):
    """With large shares, a random split leaves users of three rows none for the training."""
    overrides = [f"split.kind={kind}", f"seed={seed}", KEEP]
    overrides += [f"split.test={shares[0]}", f"split.validation={shares[1]}"]
    try:
        data = prepared(tmp_path_factory.mktemp("split"), rows, overrides)
    except InputError:
        assume(False)
    check(data, "test")
    check(data, "validation")


def test_of_a_new_user_a_list_knows_what_is_before_its_time_and_asks_for_what_is_not(tmp_path):
    data = given_parts(
        tmp_path,
        [
            ("old", "a", "train", 1), ("old", "b", "train", 9), ("old", "c", "validation", 8),
            ("old", "d", "test", 2), ("old", "e", "test", 3),
            ("new", "a", "validation", 3), ("new", "b", "validation", 5),
            ("new", "c", "validation", 7), ("new", "d", "test", 5), ("new", "e", "test", 6),
            ("new", "f", "test", 6), ("new", "g", "test", 8),
            ("none", "a", "validation", 4), ("none", "b", "test", 4),
        ],
    )  # fmt: skip
    part = whole_part(data, "test")
    found = [(user, "".join(sorted(h)), "".join(sorted(t))) for user, h, t, _ in lists_of(part)]
    assert found == [
        # What the split has given of a user of training, it has given to the training as well.
        ("old", "abc", "de"),
        ("new", "a", "defg"),
        ("new", "abd", "efg"),
        ("new", "abcdef", "g"),
        ("none", "", "b"),
    ]
    assert part.num_rows == 2 + 4 + 1


def test_an_item_of_the_history_is_no_target_but_of_the_first_list(tmp_path):
    data = given_parts(
        tmp_path,
        [
            ("old", "a", "train", 1), ("new", "a", "validation", 1),
            ("new", "b", "test", 2), ("new", "a", "test", 3), ("new", "c", "test", 3),
            ("new", "b", "test", 4), ("new", "d", "test", 4),
            # At time 5 there is nothing new.
            ("new", "c", "test", 5),
        ],
    )  # fmt: skip
    part = whole_part(data, "test")
    found = [("".join(sorted(h)), "".join(sorted(t))) for _, h, t, _ in lists_of(part)]
    assert found == [("a", "abcd"), ("ab", "cd"), ("abc", "d")]
    assert part.num_rows == 6


def test_a_row_without_a_time_leaves_its_user_one_list(tmp_path):
    rows = [
        ("old", "a", "train", 1), ("new", "a", "validation", 7), ("new", "b", "test", 2),
        ("new", "c", "test", None), ("new", "d", "test", 4),
    ]  # fmt: skip
    (only,) = lists_of(whole_part(given_parts(tmp_path, rows), "test"))
    assert (only[1].keys(), only[2].keys()) == ({"a"}, {"b", "c", "d"})


@pytest.mark.parametrize("name", ["validation", "test"])
def test_an_empty_part_has_no_lists(tmp_path, name):
    data = given_parts(tmp_path, TRAINED)
    nothing = {name: getattr(data.split, name).slice(0, 0)}
    part = whole_part(replace(data, split=replace(data.split, **nothing)), name)
    assert len(part.lists) == part.num_rows == 0
    assert lists_of(part) == []


def test_one_row_is_one_list(tmp_path):
    part = whole_part(given_parts(tmp_path, [*TRAINED, ("new", 7, "test", 2)]), "test")
    assert lists_of(part.of_users("new")) == [("new", {}, {7: 1}, {})]


def test_lists_take_no_more_than_the_rows(tmp_path):
    """Of 300 rows at 300 times, the lists together have 300 · 301 / 2 targets."""
    rows = [*TRAINED, *(("new", number, "test", number) for number in range(300))]
    part = whole_part(given_parts(tmp_path, rows), "test")
    lists = part.of_users("new").lists
    assert len(lists) == 300
    assert lists.targets.num_cells().sum() == 300 * 301 / 2
    assert len(lists.targets.column) == 1 + 300
    assert len(lists.history.column) == 2 + 300
    assert lists.ratings().nnz == 300
