import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.features.precomputed_bags import bag_cells, require_bags
from recsparse.errors import InputError, SchemaError

COLUMNS = "word_ids", "word_counts"
LISTS = [pa.list_, pa.large_list]


def table(words, counts, word_type=None, count_type=None):
    word_type, count_type = word_type or pa.list_(pa.int64()), count_type or pa.list_(pa.int64())
    ids = [f"item {row}" for row in range(len(words))]
    columns = {"item_id": ids, "word_ids": pa.array(words, word_type)}
    return pa.table({**columns, "word_counts": pa.array(counts, count_type)})


def cells(*args, **types):
    given = table(*args, **types)
    require_bags(given.schema, COLUMNS, "items.parquet")
    return bag_cells(given, COLUMNS, "item_id", "items.parquet")


BAGS = st.lists(
    st.none() | st.dictionaries(st.integers(0, 2**31 - 1), st.integers(0, 9), max_size=4),
    max_size=5,
)


@given(
    bags=BAGS,
    kind=st.sampled_from(LISTS),
    other=st.sampled_from(LISTS),
    integer=st.sampled_from([pa.int32(), pa.int64(), pa.uint32()]),
    number=st.sampled_from([pa.int8(), pa.float32(), pa.float64()]),
)
def test_cells_are_the_entries_of_the_lists(bags, kind, other, integer, number):
    words = [None if bag is None else list(bag) for bag in bags]
    counts = [None if bag is None else list(bag.values()) for bag in bags]
    row, word, count = cells(words, counts, word_type=kind(integer), count_type=other(number))
    found = list(zip(row.tolist(), word.tolist(), count.tolist(), strict=True))
    assert found == [
        (row, word, count) for row, bag in enumerate(bags) for word, count in (bag or {}).items()
    ]
    assert word.dtype == np.int32


def test_a_slice_of_a_table_is_read_from_its_start():
    bags = table([[1], [2, 3], [4]], [[5], [6, 7], [8]]).slice(1)
    row, word, count = bag_cells(bags, COLUMNS, "item_id", "x")
    assert (row.tolist(), word.tolist(), count.tolist()) == ([0, 0, 1], [2, 3, 4], [6, 7, 8])


def test_null_is_an_empty_list():
    row, word, count = cells([None, [], [1]], [[], None, [2]])
    assert (row.tolist(), word.tolist(), count.tolist()) == ([2], [1], [2])


@pytest.mark.parametrize(("words", "counts"), [([1, 2], [1]), ([], [1]), ([1], None)])
def test_lists_of_different_lengths_are_named_with_their_id(words, counts):
    lengths = f"has {len(words)} and {len(counts or [])}"
    message = (
        rf"same length in 'word_ids' and 'word_counts', .* 'item 1' in items.parquet {lengths}"
    )
    with pytest.raises(InputError, match=message):
        cells([[1], words], [[1], counts])


@pytest.mark.parametrize("word", [-1, 2**31, None])
def test_a_number_that_is_no_word_is_named(word):
    message = rf"numbers from 0 to 2147483647 in 'word_ids', but .* 'item 1' .* has {word}; mend"
    with pytest.raises(InputError, match=message):
        cells([[1], [0, word]], [[1], [1, 1]])


@pytest.mark.parametrize("count", [-0.5, float("nan"), float("inf"), None])
def test_a_number_that_is_no_count_is_named(count):
    message = rf"from 0 to 3.4028\d+e\+38 in 'word_counts', but .* 'item 1' .* has {count}; mend"
    with pytest.raises(InputError, match=message):
        cells([[1], [0]], [[1], [count]], count_type=pa.list_(pa.float64()))


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"word_type": pa.int64()}, "'word_ids' of items.parquet must hold lists of integers, but"),
        ({"word_type": pa.list_(pa.float32())}, r"'word_ids' .* holds list<.*float>; cast it"),
        ({"count_type": pa.list_(pa.string())}, r"'word_counts' .* must hold lists of numbers"),
        ({"count_type": pa.string()}, r"'word_counts' .* but holds string; cast it, or name an"),
    ],
)
def test_columns_of_other_types_are_refused(types, message):
    with pytest.raises(SchemaError, match=message):
        cells([None], [None], **types)
