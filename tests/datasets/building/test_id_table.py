import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsparse.datasets.building import id_table as module
from recsparse.datasets.building.id_table import id_table
from recsparse.errors import InputError

integers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KINDS = {"integers": (pa.int64(), integers), "strings": (pa.string(), texts)}


@pytest.fixture(params=["compiled", "plain"])
def table_of(request, monkeypatch):
    """Both kinds of table."""
    if request.param == "plain":
        monkeypatch.setenv("RECSPARSE_KERNELS", "off")
    elif module._library() is None:
        pytest.skip("the package was built without a C++ compiler")
    return id_table


def numbered(batches):
    """Return the numbers of all ids, by a dictionary, and the dictionary."""
    known = {}
    return [[known.setdefault(each, len(known)) for each in batch] for batch in batches], known


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", list(KINDS))
@given(data=st.data())
def test_ids_are_numbered_as_they_first_come(table_of, kind, data):
    of_type, values = KINDS[kind]
    batches = data.draw(st.lists(st.lists(values, max_size=12), max_size=5))
    table = table_of(of_type)
    found = [table.add(pa.array(batch, of_type)).tolist() for batch in batches]
    expected, known = numbered(batches)
    assert found == expected
    assert table.ids().to_pylist() == list(known)
    assert table.ids().type == of_type


@pytest.mark.parametrize("kind", list(KINDS))
def test_many_ids_many_times(table_of, kind):
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 30_000, 200_000) ** 2 % 40_009
    batches = np.split(numbers, [10, 5_000, 5_001, 120_000])
    of_type = KINDS[kind][0]
    names = [[f"user {n}" if kind == "strings" else int(n) for n in batch] for batch in batches]
    table = table_of(of_type)
    found = [table.add(pa.array(batch, of_type)).tolist() for batch in names]
    expected, known = numbered(names)
    assert found == expected
    table.ids().validate(full=True)
    assert table.ids().to_pylist() == list(known)


@pytest.mark.parametrize("kind", list(KINDS))
def test_slices_of_arrays_are_numbered_by_their_own_ids(table_of, kind):
    of_type = KINDS[kind][0]
    values = pa.array([7, 8, 9, 8, 7]).cast(of_type)
    table = table_of(of_type)
    assert table.add(values.slice(1, 3)).tolist() == [0, 1, 0]
    assert table.add(values.slice(4)).tolist() == [2]
    assert table.add(values.slice(5)).tolist() == []
    assert table.ids().cast(pa.int64()).to_pylist() == [8, 9, 7]


def test_long_ids_and_those_that_begin_alike_are_told_apart(table_of):
    names = ["x" * 10_240, "x" * 10_239 + "y", "", "x", "\0", "\0\0", "x\0", "é", "e\u0301"]
    table = table_of(pa.string())
    assert table.add(pa.array(names + names[::-1])).tolist() == [*range(9), *range(8, -1, -1)]
    assert table.ids().to_pylist() == names


def test_ids_that_are_all_empty_are_one_id(table_of):
    table = table_of(pa.string())
    assert table.add(pa.array(["", "", ""])).tolist() == [0, 0, 0]
    assert table.ids().to_pylist() == [""]


def test_a_table_without_ids_has_none(table_of):
    for of_type, _ in KINDS.values():
        assert table_of(of_type).ids().equals(pa.array([], of_type))


def test_more_bytes_than_an_array_of_strings_can_have_are_refused(table_of, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 5)
    table = table_of(pa.string())
    table.add(pa.array(["abc", "éx"]))
    with pytest.raises(InputError, match="must take less than 2 GB as strings, but take 6 bytes"):
        table.ids()


def test_a_library_that_cannot_be_loaded_is_done_without(monkeypatch, tmp_path):
    module._library.cache_clear()
    monkeypatch.setattr(module, "_LIBRARY", tmp_path / "none.so")
    try:
        assert module._library() is None
        assert id_table(pa.int64()).add(pa.array([4, 4])).tolist() == [0, 0]
    finally:
        module._library.cache_clear()
