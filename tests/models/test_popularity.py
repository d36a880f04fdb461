import torch
from scipy.sparse import csr_matrix

from recsparse.config import PopularityConfig
from recsparse.models.popularity import Popularity
from tests.models.conformance import RecommenderConformance, fitted, log_of


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
