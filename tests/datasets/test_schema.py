import decimal

import pyarrow as pa
import pytest

from recsparse.datasets.schema import id_type, in_one_chunk, interactions_schema, to_ids
from recsparse.errors import SchemaError

INTEGERS = [
    pa.int8(), pa.int16(), pa.int32(), pa.int64(),
    pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
]  # fmt: skip
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]


WHOLE = [pa.decimal128(38, 0), pa.decimal256(40, 0)]


@pytest.mark.parametrize("found", [*INTEGERS, *WHOLE, pa.dictionary(pa.int8(), pa.int32())])
def test_integers_are_kept_as_int64(found):
    assert id_type(found) == pa.int64()


@pytest.mark.parametrize("found", [*TEXTS, pa.dictionary(pa.int32(), pa.large_string())])
def test_text_is_kept_as_strings(found):
    assert id_type(found) == pa.string()


@pytest.mark.parametrize(
    "found",
    [
        pa.bool_(), pa.float64(), pa.null(), pa.binary(), pa.date32(), pa.timestamp("s"),
        pa.decimal128(38, 2), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]),
        pa.dictionary(pa.int32(), pa.float64()),
    ],
)  # fmt: skip
def test_nothing_else_holds_ids(found):
    assert id_type(found) is None
    with pytest.raises(SchemaError, match="the column 'u' must hold integers or strings, but hold"):
        to_ids(pa.nulls(1, found), "the column 'u'")


def test_interactions_have_five_columns_and_may_lack_times_and_ratings():
    schema = interactions_schema(pa.int64(), pa.string())
    assert {field.name: (field.type, field.nullable) for field in schema} == {
        "user_id": (pa.int64(), False),
        "item_id": (pa.string(), False),
        "weight": (pa.float32(), False),
        "timestamp": (pa.int64(), True),
        "rating": (pa.float32(), True),
    }


@pytest.mark.parametrize("found", [*INTEGERS, *WHOLE])
def test_integer_ids_keep_their_values_and_nulls(found):
    ids = to_ids(pa.array([127, None, 0], found), "ids")
    assert ids.type == pa.int64()
    assert ids.to_pylist() == [127, None, 0]


@pytest.mark.parametrize("found", TEXTS)
def test_string_ids_keep_their_values_and_nulls(found):
    ids = to_ids(pa.chunked_array([["", "é"], ["日本", None]], found), "ids")
    assert ids.type == pa.string()
    assert ids.to_pylist() == ["", "é", "日本", None]


def test_dictionaries_are_decoded_and_their_null_values_are_null():
    dictionary = pa.DictionaryArray.from_arrays(pa.array([1, 0, None]), pa.array([None, 7]))
    assert to_ids(dictionary, "ids").equals(pa.array([7, None, None], pa.int64()))


def test_the_largest_integer_passes_and_a_larger_one_is_refused():
    largest = pa.array([2**63 - 1], pa.uint64())
    assert to_ids(largest, "ids").to_pylist() == [2**63 - 1]
    with pytest.raises(
        SchemaError, match=r"ids must hold integers below 2\*\*63, but .* 922337203"
    ):
        to_ids(pa.array([1, 2**63], pa.uint64()), "ids")


def test_decimals_wider_than_63_bits_are_refused():
    wide = pa.array([decimal.Decimal(2**64)], pa.decimal128(38, 0))
    with pytest.raises(SchemaError, match=r"ids must hold integers below 2\*\*63, but .*; cast it"):
        to_ids(wide, "ids")


def test_one_chunk_is_not_copied_and_several_or_none_become_one():
    array = pa.array([1, 2, None])
    assert (
        in_one_chunk(pa.chunked_array([array])).buffers()[1].address == array.buffers()[1].address
    )
    assert in_one_chunk(pa.chunked_array([array, array])).to_pylist() == [1, 2, None] * 2
    assert in_one_chunk(pa.chunked_array([], pa.string())).equals(pa.array([], pa.string()))
