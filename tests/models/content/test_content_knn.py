import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import cosine_similarity

from recsparse.config.linear_models import ContentKNNConfig
from recsparse.errors import InputError
from recsparse.grids.bag_tensor import bags_to_tensor
from recsparse.models.content.content_knn import ContentKNN
from recsparse.models.protocol.fit_context import FitContext
from recsparse.testing import RecommenderConformance, fitted, log_of, words_of

PLAIN = ContentKNNConfig()


class TestContentKNN(RecommenderConformance):
    config = PLAIN


def random_bags(num_items, num_words, seed=0):
    rng = np.random.default_rng(seed)
    bags = rng.integers(0, 4, (num_items, num_words)) * (rng.random((num_items, num_words)) < 0.4)
    bags[num_items // 2] = 0
    return csr_matrix(bags.astype(np.float32))


def fit(bags, exponent=1.0):
    log = csr_matrix(np.ones((2, bags.shape[0]), np.float32))
    config = ContentKNNConfig(word_exponent=exponent)
    return ContentKNN(config).fit(log, FitContext(item_words=bags_to_tensor(bags)))


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_scores_are_sums_of_cosines_to_the_history(exponent):
    bags, history = random_bags(9, 20), csr_matrix(log_of(6, 9, seed=2))
    expected = history @ cosine_similarity(bags.power(exponent))
    found = fit(bags, exponent).score_batch(history)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_items_that_the_fit_did_not_know_are_scored_alike():
    bags, history = random_bags(12, 20), csr_matrix(log_of(6, 9, seed=2))
    model = fit(bags[:9])
    found = model.score_cold(history, None, bags_to_tensor(bags[9:]))
    expected = history @ cosine_similarity(bags)[:9, 9:]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    warm = model.score_cold(history, None, bags_to_tensor(bags[:9]))
    assert torch.equal(warm, model.score_batch(history))


def test_text_is_needed():
    with pytest.raises(InputError, match=r"content_knn needs the items' bags of words.* --items"):
        ContentKNN(PLAIN).fit(log_of())


def test_bags_of_other_items_are_refused():
    with pytest.raises(InputError, match="one sample for each of 12 items, but has 3"):
        ContentKNN(PLAIN).fit(log_of(), FitContext(item_words=words_of(3)))


def test_a_history_of_other_items_is_refused_for_cold_items_too():
    with pytest.raises(InputError, match="one column for each of 12 items, but has 5"):
        fitted(PLAIN).score_cold(csr_matrix((1, 5)), None, words_of(14))
