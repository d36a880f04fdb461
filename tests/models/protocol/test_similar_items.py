"""Which items are alike, by vectors and by neighbours, against loops over the log itself."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import (
    ContentKNNConfig,
    EASEConfig,
    GFCFConfig,
    IALSConfig,
    ItemKNNConfig,
    NextItemRidgeConfig,
    SparseEASEConfig,
)
from recsparse.models.protocol.similar_items import HasItemVectors
from recsparse.testing import NUM_ITEMS, fitted, log_of, times_of, words_of

EVERY = np.arange(NUM_ITEMS)


class OfVectors(HasItemVectors):
    def __init__(self, vectors):
        self.vectors = torch.from_numpy(vectors)

    def vectors_of_items(self):
        return self.vectors


def cosine(a, b):
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / lengths if lengths else 0.0


@given(arrays(np.float32, (4, 3), elements=st.floats(-9, 9, width=16)), st.lists(st.integers(0, 3)))
def test_vectors_are_compared_by_their_angle(vectors, items):
    found = OfVectors(vectors).similarities(np.array(items, dtype=np.int64))
    expected = [[cosine(vectors[item], other) for other in vectors] for item in items]
    np.testing.assert_allclose(found.numpy(), np.reshape(expected, (-1, 4)), atol=1e-5)


def test_ease_gives_partial_correlations():
    """Of the items' counts, as the inverse of the regularised Gram matrix has them."""
    model, log = fitted(EASEConfig(regularisation=5, popularity_exponent=0.0)), log_of().toarray()
    inverse = np.linalg.inv(log.T @ log + 5 * np.eye(NUM_ITEMS))
    diagonal = np.sqrt(np.diag(inverse))
    expected = -inverse / np.outer(diagonal, diagonal)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.similarities(EVERY).numpy(), expected, atol=1e-5)


def test_item_knn_gives_an_items_own_neighbours():
    model, log = fitted(ItemKNNConfig(neighbours=3, user_exponent=0.0)), log_of().toarray()
    config, squares = model.config, (log**2).sum(axis=0)
    scale = np.outer(squares**config.asymmetry, squares ** (1 - config.asymmetry))
    expected = log.T @ log / (scale + config.shrinkage)
    np.fill_diagonal(expected, 0)
    expected[expected < np.sort(expected, axis=1)[:, -3:-2]] = 0
    np.testing.assert_allclose(model.similarities(EVERY).numpy(), expected, atol=1e-6)


def test_sparse_ease_gives_the_mean_of_both_directions():
    model = fitted(SparseEASEConfig(neighbours=4))
    weights = model.weights.toarray()
    expected = (weights + weights.T) / 2
    np.testing.assert_allclose(model.similarities(EVERY).numpy(), expected, atol=1e-6)


def test_what_comes_next_is_the_score_of_a_history_of_one_event():
    model, one = fitted(NextItemRidgeConfig()), csr_matrix(np.eye(NUM_ITEMS, dtype=np.float32))
    expected = model.score_batch(one, times_of(one))
    torch.testing.assert_close(model.similarities(EVERY), expected)


def test_content_is_compared_by_cosines():
    words = words_of(NUM_ITEMS).groups[0].values.toarray()
    expected = [[cosine(a, b) for b in words] for a in words]
    found = fitted(ContentKNNConfig()).similarities(EVERY)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("config", [IALSConfig(factors=3), GFCFConfig(rank=4)])
def test_factors_and_singular_vectors_are_compared_by_their_angle(config):
    model = fitted(config)
    vectors = (model.item_factors if config.kind == "ials" else model.vectors.T).numpy()
    expected = [[cosine(a, b) for b in vectors] for a in vectors]
    np.testing.assert_allclose(model.similarities(EVERY).numpy(), expected, atol=1e-5)
