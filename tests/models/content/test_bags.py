import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.grids.bag_tensor import bags_to_tensor
from recsparse.models.content.bags import bags_of, unit_rows

WEIGHTS = st.lists(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4), max_size=6
)


def matrix_of(rows):
    return csr_matrix(np.array(rows, dtype=np.float32).reshape(-1, 4))


@given(WEIGHTS, st.sampled_from([1.0, 0.5]))
def test_every_bag_of_words_has_length_one_and_empty_ones_stay_empty(rows, exponent):
    found = unit_rows(matrix_of(rows), exponent).toarray()
    for unit, row in zip(found, rows, strict=True):
        damped = np.array(row) ** exponent
        length = np.sqrt((damped**2).sum())
        assert unit == pytest.approx(damped / length if length else damped)


@given(WEIGHTS)
def test_bags_are_the_same_as_a_tensor_and_back(rows):
    bags = matrix_of(rows)
    found = bags_of(bags_to_tensor(bags))
    assert found.shape == bags.shape
    assert found.dtype == np.float32
    assert found.toarray().tolist() == bags.toarray().tolist()
