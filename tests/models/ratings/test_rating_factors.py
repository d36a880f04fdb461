import numpy as np
import pytest

from recsparse.config.rating_models import RatingBiasConfig, RatingFactorsConfig
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.ratings.rating_bias import RatingBias
from recsparse.models.ratings.rating_factors import RatingFactors
from recsparse.testing import log_of
from tests.models.rating_conformance import PersonalRatingConformance

SMALL = RatingFactorsConfig(factors=4, regularisation=1.0, iterations=8)


class TestRatingFactors(PersonalRatingConformance):
    config = SMALL


def loss(left, seen, users, items, ridge):
    errors = np.where(seen, left - users @ items.T, 0.0)
    return (errors**2).sum() + ridge * ((users**2).sum() + (items**2).sum())


def test_alternating_ends_at_a_minimum_of_the_squared_error():
    log = log_of(15, 9, seed=2)
    config = RatingFactorsConfig(factors=3, regularisation=0.5, iterations=3_000)
    model = RatingFactors(config).fit(log, FitContext(seed=1))
    left, seen = RatingBias(RatingBiasConfig()).fit(log).residuals(log).toarray(), log.toarray() > 0
    items = model.item_factors.numpy()
    users = model._half_step(model.bias.residuals(log), model.item_factors).numpy()
    errors = np.where(seen, left - users @ items.T, 0.0)
    np.testing.assert_allclose(errors @ items, 0.5 * users, atol=1e-6)
    np.testing.assert_allclose(errors.T @ users, 0.5 * items, atol=1e-4)
    rng = np.random.default_rng(0)
    best = loss(left, seen, users, items, 0.5)
    for _ in range(20):
        near = items + 0.05 * rng.standard_normal(items.shape)
        assert loss(left, seen, users, near, 0.5) > best


@pytest.mark.parametrize("seed", [0, 1])
def test_scores_are_deviations_and_products_of_factors(seed):
    log = log_of(15, 9, seed=2)
    model = RatingFactors(SMALL).fit(log, FitContext(seed=seed))
    left, items = model.bias.residuals(log).toarray(), model.item_factors.numpy()
    expected = np.zeros(log.shape)
    for user in range(15):
        seen = log[user].indices
        h = items[seen]
        factors = np.linalg.solve(h.T @ h + np.eye(4), h.T @ left[user, seen])
        expected[user] = items @ factors
    expected += model.bias.mean + model.bias.user_bias(log)[:, None]
    expected += model.bias.item_bias.numpy()
    expected = np.clip(expected, log.data.min(), log.data.max())
    np.testing.assert_allclose(model.score_batch(log), expected, atol=1e-5)
