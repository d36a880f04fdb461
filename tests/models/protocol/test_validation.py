import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig
from recsparse.config.rating_models import RatingBiasConfig
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.validation import Validation
from recsparse.models.ratings.rating_bias import RatingBias
from recsparse.testing import log_of, times_of


@pytest.mark.parametrize("metric", ["ndcg@3", "recall@5", "mrr@2"])
@pytest.mark.parametrize("batch_users", [5, 1000])
def test_a_model_is_judged_as_an_evaluation_does(metric, batch_users):
    history, targets = log_of(), log_of(seed=7)
    model = EASE(EASEConfig(recency_decay=0.5)).fit(history)
    times = times_of(history)
    validation = Validation(history, targets, times, metric, batch_users=batch_users)
    ranked = evaluate_ranking(
        model.score_batch, history, targets, [metric, "all@9"], batch_users=batch_users, times=times
    )
    assert validation.quality(model) == ranked.mean()[metric]
    assert validation.quality_name(model) == f"validation_{metric[:-2]}"


def test_a_model_of_ratings_is_judged_by_its_error():
    history, targets = log_of(), log_of(seed=7)
    model = RatingBias(RatingBiasConfig()).fit(history)
    validation = Validation(history, targets, metric="recall@3", batch_users=5)
    error = evaluate_ratings(model, history, targets, 5).overall["rmse"]
    assert validation.quality(model) == -error
    assert validation.quality_name(model) == "validation_negative_rmse"


def test_without_targets_the_quality_is_undefined():
    model = EASE(EASEConfig()).fit(log_of())
    nothing = csr_matrix(log_of().shape)
    assert np.isnan(Validation(log_of(), nothing).quality(model))
    assert np.isnan(Validation(log_of()[:0], nothing[:0]).quality(model))
