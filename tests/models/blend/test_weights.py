from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, PopularityConfig
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.blend import weights as blend_weights
from recsparse.models.blend.weights import best_weights, standardised
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.validation import Validation
from recsparse.testing import log_of


def ndcg(scores, history, targets):
    result = evaluate_ranking(lambda _: scores, history, targets, ["ndcg@3"], len(targets.indptr))
    return result.per_user["ndcg@3"]


def validation_of(num_users=24, seed=1):
    history, targets = log_of(num_users, seed=seed), log_of(num_users, seed=seed + 1)
    return Validation(history, targets, metric="ndcg@3")


def test_rows_are_brought_to_mean_zero_and_deviation_one():
    scores = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * 7 + 3
    expected = (scores - scores.mean(1, keepdim=True)) / scores.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(standardised(scores), expected)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e8, 1e-20])
def test_rows_without_a_difference_become_zero(value):
    assert standardised(torch.full((2, 7), value)).tolist() == [[0.0] * 7] * 2


class Fixed(Recommender):
    """Gives the same scores whatever it is asked."""

    kind = "fixed"

    def __init__(self, scores):
        super().__init__(PopularityConfig())
        self.scores = scores

    def score_batch(self, history, times=None):
        return self.scores

    def fit(self, interactions, context=None):
        return self

    def state(self):
        return {}

    @classmethod
    def from_state(cls, config, state):
        raise NotImplementedError


def test_the_weights_found_are_as_good_as_any_two_of_a_grid():
    validation = validation_of()
    generator = torch.Generator().manual_seed(0)
    truth = torch.from_numpy((validation.targets.toarray() > 0).astype(np.float32))
    noisy = [truth + torch.randn(truth.shape, generator=generator) * noise for noise in (1.0, 1.5)]
    parts = [Fixed(scores) for scores in noisy]

    def quality(weights):
        total = sum(
            weight * standardised(scores) for weight, scores in zip(weights, noisy, strict=True)
        )
        return np.nanmean(ndcg(total, validation.history, validation.targets))

    best = max(quality((1.0, weight)) for weight in blend_weights.WEIGHTS)
    found = best_weights(parts, validation)
    assert quality(found) >= best
    assert quality(found) > max(quality((1, 0)), quality((0, 1)))
    assert max(found) == 1.0


def test_parts_are_scored_some_users_at_a_time_while_weights_are_found(monkeypatch):
    validation, log = validation_of(), log_of()
    parts = [EASE(EASEConfig(regularisation=2.0)).fit(log), Popularity(PopularityConfig()).fit(log)]
    expected = best_weights(parts, validation)
    asked = []

    class Watched(EASE):
        def score_batch(self, history, times=None):
            asked.append(history.shape[0])
            return super().score_batch(history, times)

    monkeypatch.setattr(blend_weights, "_BATCH_USERS", 10)
    watched = Watched(EASEConfig(regularisation=2.0)).fit(log)
    assert best_weights([watched, parts[1]], validation) == expected
    assert asked == [10, 10, 4]


def test_of_many_users_some_are_drawn_with_their_times(monkeypatch):
    monkeypatch.setattr(blend_weights, "_MOST_USERS", 5)
    validation = validation_of()
    cells = validation.history
    times = csr_matrix((np.arange(cells.nnz), cells.indices, cells.indptr), shape=cells.shape)
    timed = replace(validation, times=times)
    some = blend_weights.sampled_users(timed, seed=3)
    assert some.history.shape[0] == some.targets.shape[0] == some.times.shape[0] == 5
    assert some.times.nnz == some.history.nnz
    rows = [tuple(row) for row in cells.toarray()]
    drawn = [rows.index(tuple(row)) for row in some.history.toarray()]
    assert drawn == sorted(set(drawn))
    assert (some.targets != validation.targets[drawn]).nnz == 0
    assert blend_weights.sampled_users(validation_of(5), 3).history.shape[0] == 5
