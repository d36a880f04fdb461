import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.datasets.building import id_table
from recsparse.datasets.building.id_encoder import LogEncoder, distinct
from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows
from recsparse.datasets.schema import interactions_schema
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Resources, workspace
from recsparse.errors import InputError

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
KINDS = {"integers": (pa.int64(), integers), "strings": (pa.string(), texts)}


@pytest.fixture
def work(tmp_path):
    """A workspace of its own for each test, since tables have fixed names."""
    with workspace(Resources(threads=1), tmp_path / "dataset") as work:
        yield work


def table_of(rows, user_type=pa.int64(), item_type=pa.int64()):  # noqa: B008
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
    return pa.table(columns, schema=interactions_schema(user_type, item_type))


def pairs(users, items):
    return [(user, item, 1.0, None, None) for user, item in zip(users, items, strict=True)]


def encoded(work, tables, keep=(None, None)):
    """Return the ids and all rows, in the order of the batches."""
    types = tables[0].schema.types[:2]
    encoder = LogEncoder(work, *types)
    for table in tables:
        encoder.add(table)
    users, items, blocks = encoder.finish(*keep)
    return users, items, list(blocks)


@settings(max_examples=10)  # a workspace takes a while
@given(st.sampled_from(list(KINDS)), st.data())
def test_ids_are_sorted_and_indices_name_them(tmp_path_factory, kind, data):
    of_type, values = KINDS[kind]
    batches = data.draw(
        st.lists(st.lists(st.tuples(values, values), max_size=6), min_size=1, max_size=4)
    )
    tables = [
        table_of([(*pair, 1.0, 5, 2.0) for pair in some], of_type, of_type) for some in batches
    ]
    with workspace(Resources(threads=1), tmp_path_factory.mktemp("w") / "d") as work:
        users, items, blocks = encoded(work, tables)
    rows = [pair for some in batches for pair in some]
    for place, axis, name in ((0, users, "user"), (1, items, "item")):
        # UTF-8 sorts by code point, as Python does.
        assert axis.vocabulary.ids.to_pylist() == sorted({pair[place] for pair in rows})
        index = [value for block in blocks for value in block.columns[name].tolist()]
        assert axis.vocabulary.id_of(np.array(index, dtype=int)).to_pylist() == [
            pair[place] for pair in rows
        ]


def test_other_columns_come_through_with_what_is_unknown_marked(work):
    rows = [(1, 2, 0.5, None, None), (1, 3, 2.0, -7, float("nan")), (2, 2, 1.0, 9, 4.5)]
    _, _, (block,) = encoded(work, [table_of(rows)])
    assert block.weight.tolist() == [0.5, 2.0, 1.0]
    assert block.timestamp.tolist() == [NO_TIME, -7, 9]
    assert block.rating.tolist() == [NO_RATING, NO_RATING, 4.5]
    types = {name: str(column.dtype) for name, column in block.columns.items()}
    assert types == {
        "user": "int32", "item": "int32", "weight": "float32", "timestamp": "int64",
        "rating": "float32",
    }  # fmt: skip


def test_negative_zeros_are_zeros(work):
    _, _, (block,) = encoded(work, [table_of([(1, 2, -0.0, None, -0.0)])])
    assert np.signbit([block.weight[0], block.rating[0]]).tolist() == [False, False]


def test_parts_and_texts_stay_with_their_rows(work):
    encoder = LogEncoder(work, pa.int64(), pa.int64())
    table = table_of(pairs([5, 3], [1, 1]))
    encoder.add(table, np.array([2, 0], dtype=np.uint8), np.array([-8, 9]))
    _, _, blocks = encoder.finish(None, None)
    (block,) = blocks
    assert block.user.tolist() == [1, 0]
    assert (block.part.tolist(), block.text.tolist()) == ([2, 0], [-8, 9])


def test_batches_get_their_own_rows(work):
    rng = np.random.default_rng(0)
    users = [rng.integers(0, 50, size).tolist() for size in (20, 0, 1, 30, 0)]
    tables = [table_of(pairs(some, some)) for some in users]
    ids, _, blocks = encoded(work, tables)
    found = [user for block in blocks for user in ids.vocabulary.id_of(block.user).to_pylist()]
    assert found == [user for some in users for user in some]
    counts = pd.Series([user for some in users for user in some]).value_counts().sort_index()
    assert ids.num_rows.tolist() == counts.tolist()


def test_batches_are_chunked_as_they_like(work):
    table = table_of(pairs([5, 3, 5, 4], [1, 2, 3, 4]))
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)])
    users, _, (block,) = encoded(work, [chunked])
    assert users.vocabulary.id_of(block.user).to_pylist() == [5, 3, 5, 4]


def test_kept_ids_come_first_in_their_order_whether_they_occur_or_not(work):
    keep = Vocabulary(pa.array([9, 2, 7])), Vocabulary(pa.array([], pa.int64()))
    users, items, (block,) = encoded(work, [table_of(pairs([1, 9, 7, 8], [4, 3, 2, 1]))], keep)
    assert users.vocabulary.ids.to_pylist() == [9, 2, 7, 1, 8]
    assert items.vocabulary.ids.to_pylist() == [1, 2, 3, 4]
    assert block.user.tolist() == [3, 0, 2, 4]
    assert users.num_rows.tolist() == [1, 0, 1, 1, 1]


def test_rows_that_were_encoded_before_are_encoded_anew(work):
    encoder = LogEncoder(work, pa.string(), pa.int64())
    users = Vocabulary(pa.array(["z", "unused", "a", "m"]))
    items = Vocabulary(pa.array([30, 10]))
    zeros = np.zeros(3)
    before = Rows(np.array([2, 0, 2]), np.array([1, 1, 0]), zeros + 1, zeros.astype(int), zeros + 5)
    encoder.add_numbered(before, users, items)
    encoder.add(table_of([("b", 20, 1.0, None, None)], pa.string()))
    found_users, found_items, blocks = encoder.finish(None, None)
    old, new = blocks
    assert found_users.num_rows.tolist() == [2, 1, 1]
    assert found_users.vocabulary.ids.to_pylist() == ["a", "b", "z"]
    assert found_items.vocabulary.ids.to_pylist() == [10, 20, 30]
    assert (old.user.tolist(), old.item.tolist()) == ([0, 2, 0], [0, 0, 2])
    assert (new.user.tolist(), new.item.tolist()) == ([1], [1])
    assert old.rating.tolist() == [5, 5, 5]


def test_hashes_depend_on_the_id_alone(work, tmp_path):
    users, items, _ = encoded(work, [table_of(pairs([1, 2], [2, 3]))])
    assert users.hashes[1] == items.hashes[0]
    assert len({*users.hashes.tolist(), *items.hashes.tolist()}) == 3
    with workspace(Resources(), tmp_path / "other") as other:
        named = table_of(pairs(["2", "é"], ["3", "1"]), pa.string(), pa.string())
        texts, _, _ = encoded(other, [named])
    # A number and its digits are the same to random choices.
    assert texts.hashes[0] == users.hashes[1]
    assert users.hashes.dtype == np.uint64


def test_ids_of_ten_kilobytes_and_odd_letters_are_ids(work):
    names = ["x" * 10_240, "x" * 10_239 + "y", "", "日本 👍", "a\nb", "'\"", "e\u0301", "é"]
    table = table_of(pairs(names, names), pa.string(), pa.string())
    users, _, (block,) = encoded(work, [table])
    assert users.vocabulary.ids.to_pylist() == sorted(names)
    assert users.vocabulary.id_of(block.user).to_pylist() == names


def test_more_ids_than_an_index_can_name_are_refused(work, monkeypatch):
    monkeypatch.setattr(id_table, "_MOST_IDS", 3)
    message = (
        r"users and items must be fewer than 2\^31 each, but there are at least 4 of one; split"
    )
    with pytest.raises(InputError, match=message):
        encoded(work, [table_of(pairs([1, 2, 3, 3], [1, 2, 3, 4]))])


def test_no_rows_at_all_have_no_ids(work):
    users, items, blocks = encoded(work, [table_of([])])
    assert len(users.vocabulary) == len(items.vocabulary) == 0
    assert sum(map(len, blocks)) == 0


@given(st.lists(st.integers(0, 9), max_size=20))
def test_distinct_numbers_agree_with_pandas(numbers):
    found, place = distinct(np.array(numbers, dtype=np.int64), 10)
    codes, uniques = pd.factorize(np.array(numbers, dtype=np.int64), sort=True)
    assert found.tolist() == uniques.tolist()
    assert place.tolist() == codes.tolist()
