import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.metrics.pairwise import cosine_similarity

from recsparse.config.linear_models import ContentKNNConfig
from recsparse.errors import InputError
from recsparse.models.content.content_knn import ContentKNN
from recsparse.models.protocol.fit_context import FitContext
from recsparse.testing import RecommenderConformance, fitted, log_of, words_of
from tests.item_features import mixed_features, word_features

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
    return ContentKNN(config).fit(log, FitContext(item_features=word_features(bags)))


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_scores_are_sums_of_cosines_to_the_history(exponent):
    bags, history = random_bags(9, 20), csr_matrix(log_of(6, 9, seed=2))
    expected = history @ cosine_similarity(bags.power(exponent))
    found = fit(bags, exponent).score_batch(history)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_items_that_the_fit_did_not_know_are_scored_alike():
    bags, history = random_bags(12, 20), csr_matrix(log_of(6, 9, seed=2))
    model = fit(bags[:9])
    found = model.score_cold(history, None, word_features(bags[9:]))
    expected = history @ cosine_similarity(bags)[:9, 9:]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    warm = model.score_cold(history, None, word_features(bags[:9]))
    assert torch.equal(warm, model.score_batch(history))


def test_text_is_needed():
    with pytest.raises(InputError, match=r"content_knn needs features of the items.* --items"):
        ContentKNN(PLAIN).fit(log_of())


def test_bags_of_other_items_are_refused():
    with pytest.raises(InputError, match="be of each of 12 items, but are of 3"):
        ContentKNN(PLAIN).fit(log_of(), FitContext(item_features=words_of(3)))


def test_a_history_of_other_items_is_refused_for_cold_items_too():
    with pytest.raises(InputError, match="one column for each of 12 items, but has 5"):
        fitted(PLAIN).score_cold(csr_matrix((1, 5)), None, words_of(14))


def test_each_kind_of_feature_has_a_cosine_of_its_own_and_numbers_have_none():
    features, history = mixed_features(9), csr_matrix(log_of(6, 9, seed=2))
    log = csr_matrix(np.ones((2, 9), np.float32))
    cosines = {
        group.name: cosine_similarity(group.values)
        for group in features.groups
        if group.kind != "numbers"
    }
    for names in ("all", ["genres"], ["embedding", "year"]):
        config = ContentKNNConfig(features=names)
        model = ContentKNN(config).fit(log, FitContext(item_features=features))
        wanted = cosines if names == "all" else {*names} & {*cosines}
        expected = history @ sum(cosines[name] for name in wanted)
        np.testing.assert_allclose(model.score_batch(history), expected, rtol=1e-4, atol=1e-5)
        again = ContentKNN.from_state(config, model.state())
        assert torch.equal(again.score_batch(history), model.score_batch(history))
        cold = model.score_cold(history, None, features)
        assert torch.equal(cold, model.score_batch(history))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["year"],
            r"reads categories, vectors, words, but .* none of these out of words \(words\)",
        ),
        (
            [],
            "the model content_knn reads categories, vectors, words, but model.features names none",
        ),
        (["tags"], "there are no 'tags'; known are"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(names, message):
    config = ContentKNNConfig(features=names)
    with pytest.raises(InputError, match=message):
        ContentKNN(config).fit(log_of(), FitContext(item_features=mixed_features(12)))
