import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from recsparse.config.linear_models import IALSConfig, TextRidgeConfig
from recsparse.errors import InputError
from recsparse.models.content.text_ridge import TextRidge, ridge_map
from recsparse.models.linear.als import half_step
from recsparse.models.linear.ials import IALS
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.testing import PersonalConformance, fitted, log_of, words_of
from tests.item_features import mixed_features

SMALL = TextRidgeConfig(ridge=0.5, ials=IALSConfig(factors=4, iterations=3, regularisation=0.1))


class TestTextRidge(PersonalConformance):
    config = SMALL


@given(st.integers(1, 12), st.integers(1, 9), st.sampled_from([0.1, 1.0, 30.0]), st.integers(0, 99))
def test_the_map_is_that_of_scikit_learns_ridge(documents, num_words, ridge, seed):
    rng = np.random.default_rng(seed)
    bags = rng.random((documents, num_words)) * (rng.random((documents, num_words)) < 0.5)
    factors = rng.normal(size=(documents, 3)).astype(np.float32)
    columns = bags.astype(np.float32)
    split = seed % (num_words + 1)
    found = ridge_map(csr_matrix(columns[:, :split]), columns[:, split:], factors, ridge)
    expected = Ridge(alpha=ridge, fit_intercept=False).fit(bags, factors).coef_.T
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=5e-4)


def test_items_of_the_catalogue_score_as_ials_does():
    log = log_of()
    expected = IALS(SMALL.ials).fit(log).score_batch(log)
    np.testing.assert_allclose(fitted(SMALL).score_batch(log), expected, rtol=1e-5, atol=1e-6)


def test_a_cold_items_factors_follow_from_its_words():
    model, log = fitted(SMALL), log_of()
    cold = model.score_cold(log, None, words_of(12))
    users = np.linalg.lstsq(
        model.item_factors.numpy(), model.score_batch(log).numpy().T, rcond=None
    )
    bags = np.zeros((12, 14), np.float32)
    bags[np.arange(12), np.arange(12) % 2] = bags[np.arange(12), np.arange(12) + 2] = 0.5**0.5
    expected = users[0].T @ (bags @ model.word_factors.numpy()).T
    np.testing.assert_allclose(cold, expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("num_items", [3, 13])
def test_words_of_other_items_are_refused(num_items):
    with pytest.raises(InputError, match=f"of each of 12 items, but are of {num_items}"):
        TextRidge(SMALL).fit(log_of(), FitContext(item_features=words_of(num_items)))


def test_factors_of_new_items_follow_from_all_features():
    features, log = mixed_features(12), log_of()
    model = TextRidge(SMALL).fit(log, FitContext(item_features=features))
    columns = np.hstack([features.sparse(1.0).toarray(), features.dense()])
    none, factors = np.zeros((12, 0), np.float32), model.item_factors.numpy()
    expected = ridge_map(csr_matrix(columns), none, factors, 0.5)
    np.testing.assert_allclose(model.word_factors, expected, rtol=1e-4, atol=1e-5)
    users = half_step(log, model.item_factors, model.solver).numpy()
    cold = model.score_cold(log, None, features)
    np.testing.assert_allclose(cold, users @ (columns @ expected).T, rtol=1e-3, atol=1e-4)


def test_a_number_of_a_new_item_beyond_those_of_the_fit_counts_as_the_nearest_of_these():
    """A number of a million, and a vector that is read as it is."""
    features, log = mixed_features(12), log_of()
    model = TextRidge(SMALL).fit(log, FitContext(item_features=features))
    values = {group.name: group.values for group in features.groups}
    kinds = {group.name: group.kind for group in features.groups}
    number = next(name for name, kind in kinds.items() if kind == "numbers")
    vector = next(name for name, kind in kinds.items() if kind == "vectors")

    def scores(**other):
        groups = [(name, kinds[name], {**values, **other}[name]) for name in values]
        return model.score_cold(log, None, Features.of(groups))

    far, farthest = np.full(values[number].shape, 1e6), values[number].max(axis=0)
    nearest = np.broadcast_to(farthest, values[number].shape).astype(np.float32)
    found = scores(**{number: far.astype(np.float32)})
    torch.testing.assert_close(found, scores(**{number: nearest}), rtol=0, atol=0)
    assert not torch.equal(found, scores())
    long = scores(**{vector: values[vector] * 10})
    assert not torch.allclose(long, scores())
    again = TextRidge.from_state(model.config, model.state())
    assert torch.equal(again.score_cold(log, None, features), scores())
    older = {name: value for name, value in model.state().items() if name != "range"}
    unbounded = TextRidge.from_state(model.config, older)
    assert torch.equal(unbounded.score_cold(log, None, features), scores())
