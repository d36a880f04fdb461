import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsparse.errors import InputError
from tests.prepared import prepared, triples
from tests.row_frames import all_rows

BY_TIME = ["split.kind=global_time", "split.validation=0.2", "split.test=0.2"]
KEEP = "log.duplicates=keep"
LAST_OUT = ["split.kind=leave_last_out"]


@pytest.fixture
def build(tmp_path):
    """Prepares rows, and texts of items by their ids."""

    def build(rows, overrides=(), texts=None, times=None, **columns):
        if texts is not None:
            items = pa.table({"item_id": list(texts), "text": list(texts.values())})
            pq.write_table(items, tmp_path / "items.parquet")
            columns["items"] = tmp_path / "items.parquet"
        return prepared(tmp_path, rows, overrides, times, **columns)

    return build


# Of each user: training …, validation, test.
ROWS = [
    ("ann", "a"), ("ann", "b"), ("ann", "c"), ("ann", "b2"),
    ("bob", "b"), ("bob", "c"), ("bob", "only in validation"), ("bob", "only in test"),
    ("cid", "a"), ("cid", "b"), ("cid", "only in validation"), ("cid", "c"),
    ("dee", "b2"), ("dee", "b"),
]  # fmt: skip


def test_the_vocabularies_hold_what_occurs_in_training_alone(build):
    data = build(ROWS, LAST_OUT)
    assert data.users.ids.to_pylist() == ["ann", "bob", "cid", "dee"]
    assert data.items.ids.to_pylist() == ["a", "b", "b2", "c"]
    assert (data.counts["users"], data.counts["items"]) == (4, 4)


def test_users_who_come_later_are_not_in_the_vocabulary(build):
    data = build([(1, 1), (2, 1), (1, 2), (3, 1), (1, 3)], BY_TIME)
    assert data.users.ids.to_pylist() == [1, 2]
    assert data.items.ids.to_pylist() == [1, 2]


def test_the_words_are_those_of_the_catalogue_alone(build):
    texts = {"only in test": "planted red", "never": "red hidden", "a": "red fox", "b2": ""}
    texts = {**texts, "c": "red red hen"}
    data = build(ROWS, [*LAST_OUT, "text.weighting=counts"], texts)
    assert data.words.words == ("fox", "hen", "red")
    # The catalogue is a, b, b2, c.
    assert data.item_features[0].values.toarray().tolist() == [
        [1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0],
    ]  # fmt: skip
    assert data.counts["item_table_words"] == 3
    assert data.counts["item_table_without_text"] == 2
    # "never" alone is not in the log; "b" and "only in validation" are not in the table.
    assert data.counts["items_only_in_table"] == 1
    assert data.counts["item_table_not_in_table"] == 2


def test_the_weights_of_words_count_the_catalogue_alone(build):
    data = build(ROWS, LAST_OUT, {"only in test": "fox", "a": "fox", "b": "hen"})
    # Two of the four items of the catalogue have text; the formula is scikit-learn's.
    assert data.words.idf == pytest.approx([np.log((1 + 4) / (1 + 1)) + 1] * 2)


def test_without_items_there_are_no_words(build):
    data = build(ROWS, LAST_OUT)
    assert data.words is None
    assert data.item_features == []
    assert not [name for name in data.counts if "words" in name]


def test_items_named_by_another_type_are_refused(build):
    with pytest.raises(InputError, match=r"ids must be of the type string, .* holds int64"):
        build(ROWS, LAST_OUT, {1: "fox"})


def test_text_without_a_word_for_the_catalogue_is_refused(build):
    with pytest.raises(InputError, match="a word must occur in 1 of 4 texts, but none does"):
        build(ROWS, LAST_OUT, {"only in test": "planted"})


def test_popularity_counts_training_rows_alone(build):
    # In the whole log item 9 leads, in the first six rows it is the last.
    rows = [(2, 5), (1, 6), (2, 6), (3, 5), (2, 9), (3, 5), (1, 9), (1, 9), (1, 9), (3, 9)]
    data = build(rows, [*BY_TIME, KEEP])
    assert data.items.id_of(data.item_order.index).to_pylist() == [5, 6, 9]
    assert data.users.id_of(data.user_order.index).to_pylist() == [2, 3, 1]


def test_an_order_by_time_goes_by_the_first_training_row(build):
    # Item "c" has the first row of the log, but in the order of ids and of rows it is the last.
    rows = [(3, "b"), (1, "a"), (3, "c"), (1, "b"), (2, "a"), (2, "b"), (1, "a"), (2, "c")]
    times = [50, 40, 30, 60, 70, 80, 90, 95]
    data = build(rows, [*BY_TIME, KEEP, "order.kind=time"], times=times)
    assert data.items.id_of(data.item_order.index).to_pylist() == ["c", "a", "b"]
    assert data.users.id_of(data.user_order.index).to_pylist() == [3, 1]


def test_an_order_by_time_needs_a_training_time(build):
    settings = ["order.kind=time", "split.test=0.3", "split.validation=0.3"]
    with pytest.raises(InputError, match=r"an order by time needs a time for some of 4 rows, but"):
        build(ROWS, settings, times=[None] * len(ROWS))


@pytest.mark.parametrize("kind", ["random", "spectral", "bisection"])
def test_every_order_is_a_permutation_that_the_seed_repeats(build, kind):
    first, again = (build(ROWS, [*LAST_OUT, f"order.kind={kind}"]) for _ in range(2))
    for order, size in ((first.user_order, 4), (first.item_order, 4)):
        assert sorted(order.rank) == list(range(size))
    assert first.item_order.rank.tolist() == again.item_order.rank.tolist()


def dense(rows, users, items):
    matrix = np.zeros((len(users), len(items)), dtype=np.float32)
    for user, item, weight in rows:
        if user in users and item in items:
            matrix[users.index(user), items.index(item)] += weight
    return matrix.tolist()


rows_of_a_log = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(1, 3)), min_size=20, max_size=50
)
kinds = st.sampled_from(
    ["random", "leave_last_out", "global_time", "held_out_users", "held_out_items"]
)


@settings(max_examples=15)
@given(rows_of_a_log, kinds, st.integers(0, 9))
def test_parts_and_matrices_agree_with_loops(tmp_path_factory, rows, kind, seed):
    overrides = [f"split.kind={kind}", f"seed={seed}", "split.test=0.2", "split.validation=0.2"]
    try:
        data = prepared(tmp_path_factory.mktemp("loops"), rows, overrides)
    except InputError:
        assume(False)
    items = data.items.ids.to_pylist()
    train = triples(data, "train")
    assert items == sorted({item for _, item, _ in train})
    assert data.users.ids.to_pylist() == sorted({user for user, _, _ in train})
    matrix = data.train_matrix()
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == dense(train, data.users.ids.to_pylist(), items)
    held_out = kind == "held_out_users"
    seen_by_validation = ["validation_history"] if held_out else ["train"]
    seen_by_test = ["test_history"] if held_out else ["train", "validation"]
    for name, seen_parts in (("validation", seen_by_validation), ("test", seen_by_test)):
        history, targets = triples(data, *seen_parts), triples(data, name)
        seen = {user for user, item, _ in history if item in items}
        wanted = {user for user, item, _ in targets if item in items} & seen
        part = data.evaluation_part(name)
        users = part.user_ids.to_pylist()
        assert set(users) == wanted
        assert len(users) == len(wanted)
        assert part.history.toarray().tolist() == dense(history, users, items)
        assert part.targets.toarray().tolist() == dense(targets, users, items)
        unseen = sum(item not in items for _, item, _ in targets)
        assert data.counts[f"{name}_rows_of_unseen_items"] == unseen
        left_out = sum(item in items and user not in seen for user, item, _ in targets)
        assert data.counts[f"{name}_rows_of_unseen_users"] == left_out


def test_the_test_sees_validation_rows_and_the_validation_does_not(build):
    data = build(ROWS, LAST_OUT)
    validation, test = (data.evaluation_part(name) for name in ("validation", "test"))
    # Bob's and Cid's validation item, and Bob's test item, are in nobody's training rows.
    assert validation.user_ids.to_pylist() == ["ann"]
    assert test.user_ids.to_pylist() == ["ann", "cid"]
    assert data.items.ids.to_pylist() == ["a", "b", "b2", "c"]
    assert validation.history.toarray().tolist() == [[1.0, 1.0, 0.0, 0.0]]
    assert test.history.toarray()[0].tolist() == [1.0, 1.0, 0.0, 1.0]
    assert test.targets.toarray().tolist() == [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    unseen = [data.counts[f"{name}_rows_of_unseen_items"] for name in ("validation", "test")]
    assert unseen == [2, 1]


def test_held_out_users_show_their_history_and_are_in_no_vocabulary(build):
    rows = [(user, item) for user in range(20) for item in range(5)]
    data = build(rows, ["split.kind=held_out_users"])
    for name in ("validation", "test"):
        part = data.evaluation_part(name)
        assert len(part.user_ids) == 20 * 0.1
        assert data.users.index_of(part.user_ids).tolist() == [-1, -1]
        assert part.history.toarray().sum(axis=1).tolist() == [5 * 0.8] * 2
        assert (part.history + part.targets).toarray().tolist() == [[1.0] * 5] * 2


def test_a_part_of_new_users_alone_has_no_rows(build):
    rows = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 1), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2)]
    part = build(rows, BY_TIME).evaluation_part("test")
    assert part.user_ids.to_pylist() == []
    assert part.history.shape == part.targets.shape == (0, 2)


def test_a_history_of_unseen_items_alone_is_none(build):
    rows = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 99), (1, 98), (3, 1), (1, 2)]
    data = build(rows, BY_TIME)
    assert data.items.ids.to_pylist() == [1, 2, 3]
    assert data.evaluation_part("test").user_ids.to_pylist() == [1]
    assert data.counts["test_rows_of_unseen_users"] == 1


def test_another_part_is_refused(build):
    with pytest.raises(InputError, match="must be 'validation' or 'test', but got 'train'"):
        build(ROWS, LAST_OUT).evaluation_part("train")


@pytest.mark.parametrize("kind", ["random", "held_out_users"])
def test_all_rows_are_those_of_the_log(build, kind):
    rows = [(user, item) for user in range(20) for item in range(7)]
    data = build(rows, [f"split.kind={kind}"])
    rows_of_all = all_rows(data).select(["user_id", "item_id", "weight"]).to_pylist()
    assert sorted(tuple(row.values()) for row in rows_of_all) == [(*row, 1.0) for row in rows]


def test_the_training_frame_leaves_empty_columns_out(build):
    frame = build(ROWS, LAST_OUT).train_frame()
    assert frame.columns.tolist() == ["user_id", "item_id", "weight", "timestamp"]
    assert len(frame) == len(ROWS) - 3 * 2


def test_counts_of_the_log_and_the_split_are_kept(build):
    weights = [1.0] * len(ROWS) + [-1.0, 1.0, 2.0]
    rows = [*ROWS, ("eve", "a"), ("ann", "a"), ("ann", "a")]
    times = [*range(len(ROWS)), 0, 0, 0]
    ratings = [5.0] * (len(ROWS) + 2) + [1.0]
    settings = [*LAST_OUT, "log.min_rating=2"]
    counts = build(rows, settings, times=times, weight=weights, rating=ratings).counts
    assert counts["log_rows"] == len(rows)
    assert counts["rejected_rows"] == 1
    assert counts["rows_below_min_rating"] == 1
    assert counts["rows_of_other_events"] == 0
    assert counts["duplicate_rows"] == 1
    assert counts["rows_outside_core"] == 0
    assert counts["train_rows"] == len(ROWS) - 3 * 2
    assert counts["validation_rows"] == counts["test_rows"] == 3
    assert counts["validation_users"] == counts["test_users"] == 3
    assert counts["users_with_too_few_rows"] == 1
    assert counts["last_training_second"] == 13


def test_users_too_short_for_leaving_rows_out_are_counted(build):
    rows = [(user, item) for user, size in enumerate([4, 5, 6, 2]) for item in range(size)]
    counts = build(rows, [*LAST_OUT, "split.last=2"]).counts
    assert (counts["test_rows"], counts["users_with_too_few_rows"]) == (2 * 2, 2)


def test_the_settings_that_made_it_are_kept(build):
    config = build(ROWS, [*LAST_OUT, "seed=3", "order.kind=random"]).config
    assert config.seed == 3
    assert config.split.kind == "leave_last_out"
    assert config.split.looks_ahead
    assert config.order.kind == "random"


@pytest.mark.parametrize(
    ("rows", "lacks"),
    [
        ([(1, item) for item in range(9)], "users"),
        ([(user, 1) for user in range(9)], "items"),
        ([(1, 1)], "users"),
    ],
)
def test_a_log_of_one_user_or_one_item_is_refused(build, rows, lacks):
    message = f"must have at least 2 {lacks} to learn from, but has 1 in {len(rows)} rows; give a l"
    with pytest.raises(InputError, match=message):
        build(rows)


def test_a_log_too_short_for_its_split_is_refused(build):
    message = (
        r"the split 'random' must leave rows in every part, but validation and test got none of 4; "
        r"2 users have fewer than split\.min_rows = 3 rows; give more rows, or other shares than "
        r"split\.test = 0\.2 and split\.validation = 0\.1"
    )
    with pytest.raises(InputError, match=message):
        build([(1, 1), (1, 2), (2, 1), (2, 2)], ["split.test=0.2"])


@pytest.mark.parametrize("kind", ["random", "global_time", "held_out_users"])
def test_shares_that_leave_nothing_for_training_are_an_error(build, kind):
    # A share of 0.49 rounds to half of four rows, and of four users.
    rows = [(user, item) for user in range(4) for item in range(4)]
    settings = [f"split.kind={kind}", "split.validation=0.49", "split.test=0.49"]
    with pytest.raises(InputError, match="must leave rows in every part, but train got none of 16"):
        build(rows, settings)
