import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from recsparse.config.rating_models import RatingBiasConfig
from recsparse.models.ratings.rating_bias import RatingBias
from recsparse.testing import log_of
from tests.models.rating_conformance import RatingConformance


class TestRatingBias(RatingConformance):
    config = RatingBiasConfig()


def deviations(log, shrinkage):
    """A ridge regression of the ratings on indicators of their user and item."""
    coo = log.tocoo()
    design = np.hstack([np.eye(log.shape[0])[coo.row], np.eye(log.shape[1])[coo.col]])
    mean = coo.data.mean(dtype=np.float64)
    solved = Ridge(alpha=shrinkage, fit_intercept=False).fit(design, coo.data - mean).coef_
    return mean, solved[: log.shape[0]], solved[log.shape[0] :]


@pytest.mark.parametrize("shrinkage", [1.0, 5.0])
def test_the_deviations_are_those_of_a_ridge_regression(shrinkage):
    log = log_of(30, 12, seed=3)
    mean, user, item = deviations(log, shrinkage)
    model = RatingBias(RatingBiasConfig(user_shrinkage=shrinkage, item_shrinkage=shrinkage))
    model.fit(log)
    np.testing.assert_allclose(model.item_bias, item, atol=1e-6)
    np.testing.assert_allclose(model.user_bias(log), user, atol=1e-6)
    expected = np.clip(mean + user[:, None] + item, log.data.min(), log.data.max())
    np.testing.assert_allclose(model.score_batch(log), expected, atol=1e-5)


def test_a_new_user_is_folded_in_by_the_row():
    model = RatingBias(RatingBiasConfig(user_shrinkage=2.0, item_shrinkage=0.0))
    model.fit(csr_matrix([[4.0, 2.0], [4.0, 2.0]]))
    scores = model.score_batch(csr_matrix([[3.0, 0.0]])).numpy()
    # The item's mean is 4, so the user is one below what is usual, shrunk by 2 ratings.
    np.testing.assert_allclose(scores, [[4 - 1 / (1 + 2), 2.0]], atol=1e-4)


def test_without_shrinkage_empty_rows_have_no_deviation():
    model = RatingBias(RatingBiasConfig(user_shrinkage=0.0, item_shrinkage=0.0)).fit(log_of())
    assert model.user_bias(csr_matrix((1, 12))).tolist() == [0.0]


def test_residuals_are_what_the_model_leaves_where_nothing_is_cut_off():
    log = log_of(30, 12, seed=3)
    model = RatingBias(RatingBiasConfig()).fit(log)
    scores = model.score_batch(log).numpy()
    inside = (scores > model.lowest) & (scores < model.highest)
    left = model.residuals(log).toarray()
    seen = inside & (log.toarray() > 0)
    np.testing.assert_allclose(left[seen], (log.toarray() - scores)[seen], atol=1e-5)
