import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.id_digest import digest_of_ids

ids = st.one_of(
    st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=5),
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=5),
)


def as_arrow(values):
    kind = pa.string() if any(isinstance(value, str) for value in values) else pa.int64()
    return pa.array(values, kind)


@given(ids, ids)
def test_ids_have_one_digest_only_if_they_are_equal(one, other):
    one, other = as_arrow(one), as_arrow(other)
    assert (digest_of_ids(one) == digest_of_ids(other)) == one.equals(other)


@given(ids, st.integers(0, 5))
def test_chunks_and_offsets_do_not_count(values, cut):
    array = as_arrow(values)
    expected = digest_of_ids(array)
    assert digest_of_ids(pa.chunked_array([array[:cut], array[cut:]], array.type)) == expected
    longer = pa.concat_arrays([array[:1], array, array])
    start = len(array[:1])
    assert digest_of_ids(longer[start : start + len(array)]) == expected


@pytest.mark.parametrize(
    "kind",
    [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_the_types_of_text_do_not_count(kind):
    values = ["b", None, "", "a", "b"]
    array = (
        pa.array(values).dictionary_encode()
        if kind.id == pa.dictionary(pa.int32(), pa.string()).id
        else pa.array(values, kind)
    )
    assert digest_of_ids(array) == digest_of_ids(pa.array(values))


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint32(), pa.int64()], ids=str)
def test_the_widths_of_integers_do_not_count(kind):
    assert digest_of_ids(pa.array([3, None, 1], kind)) == digest_of_ids(pa.array([3, None, 1]))
