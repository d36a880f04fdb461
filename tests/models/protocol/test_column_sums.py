import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import PopularityConfig
from recsparse.models.protocol.column_sums import column_sums
from recsparse.models.registry import build_model


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 99))
def test_sums_of_columns_are_those_of_a_dense_matrix(rows, columns, seed):
    dense = np.random.default_rng(seed).integers(0, 3, (rows, columns)).astype(np.float32)
    found = column_sums(csr_matrix(dense))
    assert found.dtype == np.float64
    assert found.tolist() == dense.sum(axis=0).tolist()


def many_small_weights():
    """A column of 400,000 weights of .1, and next to it one weight that is a little more."""
    num_rows = 400_000
    weights = np.full(num_rows, 0.1, dtype=np.float32)
    weights = np.append(weights, np.float32(40_000.5))
    column = np.append(np.zeros(num_rows, dtype=int), 1)
    return csr_matrix((weights, (np.arange(num_rows + 1), column)))


def test_many_small_weights_are_added_without_loss():
    found = column_sums(many_small_weights())
    np.testing.assert_allclose(found, [0.1 * 400_000, 40_000.5], rtol=1e-7)


def test_the_most_popular_item_is_so_by_the_exact_sum_of_its_weights():
    model = build_model(PopularityConfig()).fit(many_small_weights())
    scores = model.score_batch(csr_matrix((1, 2)))[0]
    assert scores[1] > scores[0]
