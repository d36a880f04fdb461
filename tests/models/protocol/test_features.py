import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from recsparse.errors import InputError
from recsparse.models.protocol.features import Features, unit_rows
from tests.item_features import mixed_features, word_features

WEIGHTS = st.lists(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4), max_size=6
)


def matrix_of(rows):
    return csr_matrix(np.array(rows, dtype=np.float32).reshape(-1, 4))


@given(WEIGHTS, st.sampled_from([1.0, 0.5]))
def test_every_row_has_length_one_and_empty_ones_stay_empty(rows, exponent):
    found = unit_rows(matrix_of(rows), exponent).toarray()
    for unit, row in zip(found, rows, strict=True):
        damped = np.array(row) ** exponent
        length = np.sqrt((damped**2).sum())
        assert unit == pytest.approx(damped / length if length else damped)


def values_of(features):
    return {group.name: group.values for group in features.groups}


def test_words_keep_their_values_and_categories_have_norm_1_together():
    features = mixed_features(8)
    values = values_of(features)
    words, genres = (values[name].toarray() for name in ("words", "genres"))
    np.testing.assert_allclose(
        features.sparse().toarray(), np.hstack([words, normalize(genres)]), rtol=1e-6
    )
    np.testing.assert_allclose(
        features.sparse(0.5).toarray(), np.hstack([normalize(words**0.5), normalize(genres)]),
        rtol=1e-6,
    )  # fmt: skip


def test_numbers_and_vectors_lie_next_to_each_other():
    features = mixed_features(8)
    values = values_of(features)
    expected = np.hstack([values["year"], values["embedding"]])
    np.testing.assert_array_equal(features.dense(), expected, strict=True)
    np.testing.assert_allclose(features.unit_vectors(), normalize(values["embedding"]), rtol=1e-6)


@pytest.mark.parametrize("num_items", [0, 1])
def test_few_items_have_features_of_the_same_columns(num_items):
    features = word_features(csr_matrix((num_items, 5)))
    assert features.sparse().shape == (num_items, 5)
    assert features.dense().shape == features.unit_vectors().shape == (num_items, 0)


def test_some_are_chosen_by_name_in_their_own_order():
    features = mixed_features(5)
    assert features.chosen("all") is features
    names = [group.name for group in features.chosen(["embedding", "words"]).groups]
    assert names == ["words", "embedding"]
    assert features.chosen([]).groups == ()
    assert features.chosen([]).num_ids == 5
    with pytest.raises(InputError, match=r"^model.features .* no 'genre'; the nearest known"):
        features.chosen(["words", "genre"])


def test_a_group_says_of_how_many_it_knows_something():
    assert [group.known for group in word_features([[1, 0], [0, 0]]).groups] == [1]
    values = np.array([[0, 1], [0, 0], [2, 0]], dtype=np.float32)
    (numbers,) = Features.of([("n", "numbers", values)]).groups
    assert numbers.known == 2


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], r"but are none, of \[\] ids"),
        ([("a", 2), ("b", 3)], r"but are a, b, of \[2, 3\] ids"),
        ([("a", 2), ("a", 2)], r"different names, .* but are a, a, of \[2\] ids"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(InputError, match=message):
        Features.of((name, "words", csr_matrix((size, 1))) for name, size in groups)


def test_rows_of_ids_of_whom_nothing_is_known_are_empty():
    features = mixed_features(5)
    found = features.rows(np.array([3, -1, 0]))
    assert found.num_ids == 3
    for group, whole in zip(found.groups, features.groups, strict=True):
        values, of_all = (
            each.values.toarray() if each.kind in ("words", "categories") else each.values
            for each in (group, whole)
        )
        np.testing.assert_array_equal(values, np.stack([of_all[3], 0 * of_all[0], of_all[0]]))
        assert values.dtype == np.float32
    assert found.are_known().tolist() == [True, False, True]
    none = features.rows(np.zeros(0, np.int64)).rows(np.array([-1, -1]))
    assert none.num_ids == 2
    assert not none.are_known().any()
