import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, SparseEASEConfig
from recsparse.errors import InputError
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.sparse_ease import SparseEASE, nearest_by_cosine, solved_columns
from recsparse.testing import NUM_ITEMS, PersonalConformance, log_of, times_of


class TestSparseEASE(PersonalConformance):
    config = SparseEASEConfig(neighbours=8, regularisation=2)


class TestSparseEASEWithRecency(PersonalConformance):
    config = SparseEASEConfig(neighbours=8, regularisation=2, recency_decay=0.9)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("decay", [1.0, 0.7])
def test_with_all_items_as_neighbours_it_is_ease(exponent, decay):
    settings = {"regularisation": 3, "popularity_exponent": exponent, "recency_decay": decay}
    log, rows = log_of(), log_of(seed=5)
    expected = EASE(EASEConfig(**settings)).fit(log).score_batch(rows, times_of(rows))
    model = SparseEASE(SparseEASEConfig(neighbours=NUM_ITEMS, **settings)).fit(log)
    found = model.score_batch(rows, times_of(rows))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 99))
def test_each_column_is_a_ridge_regression_on_its_neighbours(most, items, seed):
    rng = np.random.default_rng(seed)
    dense = (rng.random((9, items)) < 0.4) * rng.random((9, items))
    gram = csr_matrix((dense.T @ dense).astype(np.float32))
    diagonal = rng.random(items) + 0.5
    neighbours = nearest_by_cosine(gram, most)
    weights = solved_columns(gram, neighbours, diagonal).toarray()
    for item, near in enumerate(neighbours):
        assert len(near) <= most
        assert item not in near
        assert set(np.flatnonzero(weights[:, item])) <= set(near)
        left = np.concatenate([dense[:, near], np.diag(np.sqrt(diagonal[near]))])
        right = np.concatenate([dense[:, item], np.zeros(len(near))])
        expected = np.linalg.lstsq(left, right, rcond=None)[0]
        np.testing.assert_allclose(weights[near, item], expected, rtol=1e-3, atol=1e-4)


def test_the_neighbours_are_those_of_the_highest_cosine():
    dense = np.array([[1, 1, 0, 1], [1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 0]])
    norms = np.linalg.norm(dense, axis=0)
    cosine = dense.T @ dense / np.outer(norms, norms) - 2 * np.eye(4)
    found = nearest_by_cosine(csr_matrix(dense.T @ dense, dtype=np.float32), 2)
    for item, near in enumerate(found):
        assert set(near) == set(np.argsort(-cosine[item])[:2]) - {
            other for other in range(4) if cosine[item, other] == 0
        }


def test_a_log_with_too_many_pairs_is_refused():
    """Rows of two and three items have four and nine pairs, each with itself among them."""
    log = csr_matrix(np.array([[1, 1, 0], [1, 1, 1]], dtype=np.float32))
    SparseEASE(SparseEASEConfig(most_pairs=13)).fit(log)
    with pytest.raises(InputError, match=r"at most most_pairs = 12 .* has 13.*gf_cf or ials"):
        SparseEASE(SparseEASEConfig(most_pairs=12)).fit(log)
