import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.network_models import TextTowerConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.content.cosines import Cosines
from recsparse.models.content.text_tower import TextTower, TextTowerNetwork
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.sparse.tensor import SparseTensor
from recsparse.testing import RecommenderConformance, fitted, log_of, words_of
from recsparse.training.fit import fit_model
from tests.item_features import mixed_features, word_features

SMALL = TextTowerConfig(channels=6, training=TrainingConfig(epochs=2, batch_users=8, device="cpu"))


class TestTextTower(RecommenderConformance):
    config = SMALL


def bags_of_items(num_items=12, num_words=9, seed=0):
    rng = np.random.default_rng(seed)
    bags = rng.random((num_items, num_words)) * (rng.random((num_items, num_words)) < 0.5)
    bags[3] = 0
    return csr_matrix(bags.astype(np.float32))


def test_scores_are_those_of_dense_products():
    bags, log = bags_of_items(), log_of()
    known = Cosines(bags, np.zeros((12, 0), np.float32))
    torch.manual_seed(0)
    network = TextTowerNetwork(SMALL, known).eval()
    torch.nn.init.normal_(network.item_bias)
    found = network(SparseTensor.from_scipy(log))
    items = torch.from_numpy(bags.toarray()) @ network.word_vectors
    x = torch.from_numpy(log.toarray())
    users = x @ items / x.sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
    expected = network.scale.exp() * users @ items.T + network.item_bias
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.encode(known), items)


def test_the_cosine_of_words_is_added_with_its_weight():
    log = log_of()
    model = fitted(SMALL)
    other = TextTower.from_state(SMALL.model_copy(update={"cosine_weight": 0.0}), model.state())
    bags = model.network.known().sparse
    length = np.sqrt(np.maximum(log.sum(axis=1), 1e-12))
    cosines = (log @ bags @ bags.T).toarray() / length
    difference = model.score_batch(log) - other.score_batch(log)
    np.testing.assert_allclose(difference, 10 * np.asarray(cosines), rtol=1e-3, atol=1e-4)


def test_a_cold_item_scores_like_a_known_one_of_the_same_words_but_for_the_bias():
    model, log = fitted(SMALL), log_of()
    cold = model.score_cold(log, None, words_of(12))
    expected = model.score_batch(log) - model.network.item_bias.detach()
    torch.testing.assert_close(cold, expected, rtol=1e-4, atol=1e-4)


def test_it_learns_that_words_which_never_meet_belong_together():
    """Items of one word each; users take items of word 0 and of word 1, or of 2 and of 3."""
    word = np.arange(16) % 4
    bags = csr_matrix((np.ones(16, np.float32), (np.arange(16), word)), shape=(16, 4))
    rng = np.random.default_rng(0)
    same = (word[None] // 2) == (np.arange(200) % 2)[:, None]
    log = csr_matrix((same & (rng.random((200, 16)) < 0.6)).astype(np.float32))
    training = TrainingConfig(epochs=20, batch_users=32, learning_rate=3e-2, device="cpu")
    config = TextTowerConfig(channels=4, dropout=0.0, training=training)
    words = word_features(bags)
    model = fit_model(build_model(config), log, FitContext(TrainingConfig(), item_features=words))
    history = csr_matrix((word == 0)[None].astype(np.float32))
    cold = model.score_cold(history, None, word_features(np.eye(4)))
    _, of_partner, *others = cold[0].tolist()
    assert of_partner > max(others)


def test_text_and_a_trainer_are_needed():
    with pytest.raises(InputError, match="text_tower needs features of the items"):
        TextTower(SMALL).fit(log_of(), FitContext())
    with pytest.raises(InputError, match=r"TextTower needs context\.trainer"):
        TextTower(SMALL).fit(log_of(), FitContext(item_features=words_of(12)))


def test_scoring_leaves_the_network_where_it_is_trained(monkeypatch):
    """On a GPU the next epoch would find its parameters on the CPU."""
    monkeypatch.setattr(torch.nn.Module, "cpu", None)
    monkeypatch.setattr(torch.nn.Module, "to", None)
    assert fitted(TestTextTower.config).score_batch(log_of()).shape == (24, 12)


def test_categories_and_vectors_are_learned_and_compared_too():
    features, log = mixed_features(12), log_of()
    model = fit_model(build_model(SMALL), log, FitContext(item_features=features))
    assert model.network.vector_map.weight.shape == (6, 3)
    items = model.network.encode(model.network.known())
    torch.testing.assert_close(model.network.items(torch.arange(12))[0], items)
    again = TextTower.from_state(SMALL, model.state())
    assert torch.equal(again.score_batch(log), model.score_batch(log))
    cold = model.score_cold(log, None, features)
    expected = model.score_batch(log) - model.network.item_bias.detach()
    torch.testing.assert_close(cold, expected, rtol=1e-4, atol=1e-4)
    cells = SparseTensor.from_scipy(log)
    with torch.inference_mode():
        users = model.network.row_vectors(cells)
        vectors, bias = model.network.items(torch.arange(12))
        torch.testing.assert_close(users @ vectors.T + bias, model.network(cells))
