import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import PopularityConfig
from recsparse.errors import InputError
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.fit_context import FitContext
from recsparse.testing import RecommenderConformance, fitted, log_of


class TestPopularity(RecommenderConformance):
    config = PopularityConfig()


def test_the_score_is_the_share_of_all_weights():
    log = csr_matrix([[1.0, 0, 2], [0, 0, 3]])
    scores = Popularity(PopularityConfig()).fit(log).score_batch(csr_matrix([[0.0, 1, 0]]))
    assert torch.equal(scores, torch.tensor([[1 / 6, 0 / 6, 5 / 6]]))


def test_everyone_gets_the_same_scores():
    scores = fitted(PopularityConfig()).score_batch(log_of())
    assert torch.equal(scores, scores[:1].expand_as(scores))


def test_large_totals_are_not_rounded_away():
    """In float32 a sum of ones stops at 2^24."""
    log = csr_matrix([[2.0**24, 1.0], [1.0, 0.0]])
    shares = Popularity(PopularityConfig()).fit(log).shares.double()
    assert shares[0] < 1
    assert shares[1] > 0


class TestRecentPopularity(RecommenderConformance):
    config = PopularityConfig(recent_days=0.003)


@pytest.mark.parametrize(("days", "expected"), [(1.0, [0, 3, 4]), (2.0, [2, 3, 4]), (9, [3, 3, 4])])
def test_only_the_rows_of_the_last_days_count(days, expected):
    log = csr_matrix(np.array([[1.0, 3, 0], [2, 0, 4]]))
    day = 86_400
    times = csr_matrix((np.array([1, 6, 4, 5]) * day + 7, log.indices, log.indptr), shape=log.shape)
    model = Popularity(PopularityConfig(recent_days=days)).fit(log, FitContext(times=times))
    shares = np.array(expected) / sum(expected)
    np.testing.assert_allclose(model.score_batch(log)[0], shares, rtol=1e-6)


def test_recent_popularity_without_times_is_refused():
    with pytest.raises(InputError, match="recent_days of the model popularity needs the time"):
        Popularity(PopularityConfig(recent_days=1)).fit(csr_matrix([[1.0]]))
