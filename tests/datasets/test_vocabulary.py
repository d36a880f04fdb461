import errno

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, OutputError

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
ids = st.lists(integers, max_size=8) | st.lists(texts, max_size=8)


@given(ids)
def test_the_vocabulary_is_the_sorted_set_of_the_ids(found):
    vocabulary = Vocabulary.fit(found)
    # UTF-8 sorts by code point, as Python does.
    assert vocabulary.ids.to_pylist() == sorted(set(found))
    assert len(vocabulary) == len(set(found))


@given(ids, st.data())
def test_the_index_of_an_id_is_its_place(found, data):
    vocabulary = Vocabulary.fit(found)
    asked = data.draw(
        st.lists(st.sampled_from(found) | st.none(), max_size=8) if found else st.just([])
    )
    places = {each: place for place, each in enumerate(sorted(set(found)))}
    index = vocabulary.index_of(pa.array(asked, vocabulary.ids.type))
    assert index.dtype == np.int64
    assert index.tolist() == [places.get(each, -1) for each in asked]


@given(ids)
def test_ids_and_indices_are_inverse(found):
    vocabulary = Vocabulary.fit(found)
    index = np.arange(len(vocabulary))[::-1]
    assert vocabulary.index_of(vocabulary.id_of(index)).tolist() == index.tolist()


@given(ids=ids)
def test_the_order_of_the_data_does_not_matter(ids):
    assert Vocabulary.fit(ids).ids.equals(Vocabulary.fit(ids[::-1]).ids)


def test_integers_are_sorted_by_value_and_strings_by_letters():
    assert Vocabulary.fit([10, 9, -1]).ids.to_pylist() == [-1, 9, 10]
    assert Vocabulary.fit(["10", "9", ""]).ids.to_pylist() == ["", "10", "9"]


def test_letters_of_one_look_and_other_code_points_are_other_ids():
    vocabulary = Vocabulary.fit(["é", "e\u0301", "日本", "👍"])
    assert len(vocabulary) == 4
    assert vocabulary.index_of(["日本", "e\u0301", "É"]).tolist() == [2, 0, -1]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.array(["b", "a", "b"], pa.string_view()),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.chunked_array([["b"], [], ["a", "b"]]),
    ],
    ids=lambda column: str(column.type),
)
def test_every_way_to_store_strings_is_the_same(column):
    vocabulary = Vocabulary.fit(column)
    assert vocabulary.ids.equals(pa.array(["a", "b"]))
    assert vocabulary.index_of(column).tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.int64()])
def test_every_width_of_integers_is_the_same(kind):
    vocabulary = Vocabulary.fit(pa.array([5, 3], kind))
    assert vocabulary.ids.equals(pa.array([3, 5]))
    assert vocabulary.index_of(pa.array([5, 4, None], kind)).tolist() == [1, -1, -1]


def test_an_empty_vocabulary_knows_nothing_of_any_type():
    vocabulary = Vocabulary.fit([])
    assert len(vocabulary) == 0
    assert vocabulary.index_of(["a", "b"]).tolist() == [-1, -1]
    assert vocabulary.index_of([1]).tolist() == [-1]


def test_nulls_and_no_ids_at_all_have_no_type_to_refuse():
    vocabulary = Vocabulary.fit(["a"])
    assert vocabulary.index_of([]).tolist() == []
    assert vocabulary.index_of(pa.nulls(2)).tolist() == [-1, -1]


def test_null_ids_are_refused():
    with pytest.raises(InputError, match="ids must not be null, but 2 are"):
        Vocabulary.fit(pa.array([None, 1, None]))
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None]))
    with pytest.raises(InputError, match="ids must not be null, but 1 are"):
        Vocabulary.fit(hidden)


@pytest.mark.parametrize("column", [pa.array([0.5]), pa.array([True]), pa.array([[1]])])
def test_ids_of_other_types_are_refused(column):
    with pytest.raises(InputError, match="ids must hold integers or strings, but holds"):
        Vocabulary.fit(column)
    with pytest.raises(InputError, match="ids must hold integers or strings, but holds"):
        Vocabulary.fit([1]).index_of(column)


@pytest.mark.parametrize("mixed", [[1, "a"], ["a", 1], [2**64]])
def test_ids_that_fit_no_column_are_refused(mixed):
    with pytest.raises(InputError, match=r"ids must be integers below .* alone or strings alone"):
        Vocabulary.fit(mixed)


def test_integers_that_fit_a_column_but_not_63_bits_are_refused():
    with pytest.raises(InputError, match=r"ids must hold integers below 2\*\*63"):
        Vocabulary.fit(pa.array([2**63], pa.uint64()))


def test_strings_are_not_asked_of_integers_nor_the_other_way_round():
    with pytest.raises(InputError, match=r"must be of the type int64, .* but are string; cast"):
        Vocabulary.fit([1, 2]).index_of(["1"])
    with pytest.raises(InputError, match=r"must be of the type string, .* but are int64; cast"):
        Vocabulary.fit(["1", "2"]).index_of([1])


@given(ids)
def test_a_saved_vocabulary_is_loaded_as_it_was(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("vocabulary") / "ids.parquet"
    vocabulary = Vocabulary.fit(found)
    vocabulary.save(path)
    assert Vocabulary.load(path).ids.equals(vocabulary.ids)


def test_a_vocabulary_that_is_missing_or_damaged_is_named(tmp_path):
    path = tmp_path / "ids.parquet"
    with pytest.raises(InputError, match=r"ids\.parquet must be the Parquet file that was written"):
        Vocabulary.load(path)
    pq.write_table(pa.table({"word": ["a"]}), path)
    with pytest.raises(InputError, match=r"ids\.parquet must have the columns .* but id is not am"):
        Vocabulary.load(path)


def test_a_full_disk_leaves_the_old_vocabulary(tmp_path, monkeypatch):
    path = tmp_path / "ids.parquet"
    Vocabulary.fit([1, 2]).save(path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(OutputError, match=r"ids\.parquet needs more room than the disk has"):
            Vocabulary.fit([3]).save(path)
    assert Vocabulary.load(path).ids.to_pylist() == [1, 2]


@pytest.mark.parametrize("kind", [int, "user {}".format], ids=["integers", "texts"])
def test_few_ids_are_found_in_many_as_many_are(kind):
    """Few are looked up the other way round; unknown, null and repeated ones are among them."""
    rng = np.random.default_rng(0)
    known = [kind(number) for number in rng.permutation(500)]
    vocabulary = Vocabulary(pa.array(known))
    wanted = [kind(number) for number in rng.integers(0, 700, 40)] + [None, kind(3), kind(3)]
    expected = [known.index(each) if each in known else -1 for each in wanted]
    assert vocabulary.index_of(pa.array(wanted)).tolist() == expected
    many = vocabulary.index_of(pa.array(wanted * 20)).tolist()
    assert many == expected * 20
    assert vocabulary.index_of(pa.array(wanted[:0], type=vocabulary.ids.type)).tolist() == []


@pytest.mark.parametrize("ids", [[], [1], [1, 2, 9], [9, 2, 1], ["b", "a"], ["a", "b"]])
def test_ids_in_any_order_are_read_back(tmp_path, ids):
    Vocabulary(pa.array(ids, pa.int64() if not ids else None)).save(tmp_path / "ids.parquet")
    assert Vocabulary.load(tmp_path / "ids.parquet").ids.to_pylist() == ids


@pytest.mark.parametrize("ids", [[1, 1], [1, 2, 1], ["a", "a"], [1, None], [None]])
def test_ids_that_are_there_twice_or_null_are_refused(tmp_path, ids):
    ids = pa.array(ids, pa.int64() if ids == [None] else None)
    Vocabulary(ids).save(tmp_path / "ids.parquet")
    with pytest.raises(InputError, match="each id once and none that is null"):
        Vocabulary.load(tmp_path / "ids.parquet")
