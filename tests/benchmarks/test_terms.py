import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from benchmarks.terms import Variant, convolved, order_of_terms
from recsparse.models.protocol.features import unit_rows


def bags(documents=12, terms=30, seed=0):
    rng = np.random.default_rng(seed)
    return csr_matrix(random_array((documents, terms), density=0.2, rng=rng), dtype=np.float32)


@pytest.mark.parametrize("adds_words", [False, True])
@pytest.mark.parametrize("window", [1, 3, 9])
def test_a_convolved_bag_is_that_of_a_dense_convolution(window, adds_words):
    found = bags()
    kernel = np.full(window, 0.3)
    kernel[window // 2] = 1.0
    dense = np.stack([np.convolve(row, kernel, mode="same") for row in found.toarray()])
    if not adds_words:
        dense[found.toarray() == 0] = 0.0
    variant = Variant(window=window, adds_words=adds_words)
    expected = unit_rows(csr_matrix(dense), 0.5).toarray()
    np.testing.assert_allclose(convolved(variant, 0.3, found).toarray(), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["spectral", "random"])
def test_every_term_has_one_place(kind):
    assert sorted(order_of_terms(bags(), kind, 0)) == list(range(30))


def test_terms_of_the_same_items_are_side_by_side_on_a_learned_order():
    topics = np.kron(np.eye(4), np.ones((10, 6)))
    shuffled = np.random.default_rng(0).permutation(24)
    index = order_of_terms(csr_matrix(topics[:, shuffled], dtype=np.float32), "spectral", 0)
    assert (np.diff(shuffled[index] // 6) != 0).sum() == 3
