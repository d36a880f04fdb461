import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig, PopularityConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.config.training import TrainingConfig
from recsparse.datasets.synthetic import synthetic_log
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.linear.ease import EASE
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.validation import Validation
from recsparse.models.row_networks.sparse_grid import LINEAR_SHARES, SparseGridRecommender
from recsparse.sparse.tensor import SparseTensor
from recsparse.testing import PersonalConformance, fit, fitted, log_of, score, times_of, words_of
from recsparse.training.fit import fit_model
from tests.validations import judged_by

SMALL = SparseGridConfig(
    factors=4, hidden=8, item_iterations=3, regularisation=0.1, linear=EASEConfig(regularisation=5)
)
WITH_TEXT = SMALL.model_copy(update={"features": "all"})


class TestSparseGrid(PersonalConformance):
    config = SMALL


class TestSparseGridWithText(PersonalConformance):
    config = WITH_TEXT


class TestSparseGridWithAxisBlocks(PersonalConformance):
    config = SMALL.model_copy(update={"axis_blocks": 2})


class TestSparseGridWithAWindow(PersonalConformance):
    config = SMALL.model_copy(update={"window_blocks": 1})


class TestSparseGridOfMeans(PersonalConformance):
    config = SMALL.model_copy(update={"pooling": "mean"})


class TestSparseGridWithAttention(PersonalConformance):
    config = SMALL.model_copy(update={"pooling": "attention"})


def untrained(objective, context, judge):
    """Stands for an optimiser that leaves the network as it starts."""


def fit_untrained(config=SMALL, quality=None, item_features=None):
    validation = None if quality is None else judged_by(quality)
    context = FitContext(trainer=untrained, validation=validation, item_features=item_features)
    return SparseGridRecommender(config).fit(log_of(), context)


def test_the_score_is_the_networks_plus_the_weighted_linear_term():
    model = fitted(SMALL)
    linear = EASE(SMALL.linear).fit(log_of()).score_batch(log_of())
    model.network.eval()
    with torch.no_grad():
        network = model.network(SparseTensor.from_scipy(log_of()))
    assert model.linear_weight > 0
    torch.testing.assert_close(model.score_batch(log_of()), network + model.linear_weight * linear)


def test_without_validation_both_terms_have_the_same_spread():
    model = fitted(SMALL)
    linear = model.linear_weight * model.linear.score_batch(log_of()).numpy()
    network = model.score_batch(log_of()).numpy() - linear
    assert np.std(linear) == pytest.approx(np.std(network), rel=1e-4)


@pytest.mark.parametrize("share", LINEAR_SHARES)
def test_the_weight_of_the_linear_term_is_the_best_by_validation(share):
    wanted = fit_untrained().linear_weight * share
    model = fit_untrained(quality=lambda model: -abs(model.linear_weight - wanted))
    assert model.linear_weight == pytest.approx(wanted)


def test_of_equally_good_weights_the_smallest_is_taken():
    assert fit_untrained(quality=lambda model: 0.5).linear_weight == 0.0


def test_a_weight_of_zero_leaves_the_network_alone():
    model = fit_untrained(quality=lambda model: -model.linear_weight)
    network = model._network_scores(log_of())
    assert torch.equal(model.score_batch(log_of()), network)


def test_the_network_is_validated_without_the_linear_term():
    weights = []

    def train(objective, context, judge):
        assert judge.quality() == 0.25

    def quality(model):
        weights.append((model.linear is None, model.linear_weight))
        return 0.25

    model = fit_untrained()
    model.fit(log_of(), FitContext(trainer=train, validation=judged_by(quality)))
    assert weights[0] == (True, 0.0)
    assert len(weights) == 1 + len(LINEAR_SHARES)


def test_without_validation_the_trainer_gets_no_judge():
    seen = []
    context = FitContext(trainer=lambda objective, context, judge: seen.append(judge))
    SparseGridRecommender(SMALL).fit(log_of(), context)
    assert seen == [None]


def test_a_state_taken_before_the_linear_term_scores_like_the_network():
    states = []
    model = SparseGridRecommender(SMALL)
    context = FitContext(trainer=lambda *_: states.append(model.state()))
    model.fit(log_of(), context)
    again = SparseGridRecommender.from_state(SMALL, states[0])
    torch.testing.assert_close(again.score_batch(log_of()), model._network_scores(log_of()))


def test_without_a_trainer_the_fit_is_refused():
    with pytest.raises(
        InputError, match=r"needs context.trainer .* but got None; call .*fit_model"
    ):
        SparseGridRecommender(SMALL).fit(log_of())


def test_the_linear_term_may_read_times():
    config = SMALL.model_copy(update={"linear": EASEConfig(window_events=3, recency_decay=0.5)})
    model = fit(SparseGridRecommender(config), log_of())
    assert model.linear_weight > 0
    expected = model.linear_weight * model.linear.score_batch(log_of(), times_of(log_of()))
    torch.testing.assert_close(
        score(model, log_of()) - model._network_scores(log_of()), expected, rtol=1e-4, atol=1e-5
    )


def test_text_without_words_is_refused():
    with pytest.raises(InputError, match="features of the model sparse_grid needs features of the"):
        fit_untrained(WITH_TEXT)


def test_words_of_other_items_are_refused():
    with pytest.raises(InputError, match="be of each of 12 items, but are of 5"):
        fit_untrained(WITH_TEXT, item_features=words_of(5))


def test_without_text_the_words_are_not_looked_at():
    plain, worded = fit_untrained(), fit_untrained(item_features=words_of(12))
    assert worded.network.words is None
    assert torch.equal(plain.score_batch(log_of()), worded.score_batch(log_of()))


def test_text_starts_from_nothing_and_is_learned():
    start = fit_untrained(WITH_TEXT, item_features=words_of(12))
    assert torch.equal(start.score_batch(log_of()), fit_untrained().score_batch(log_of()))
    assert fitted(WITH_TEXT).network.words.encoder.weight.abs().max() > 0


def synthetic_parts():
    """Nine tenths of a synthetic log as histories and the rest as targets, and its words."""
    log = synthetic_log(num_users=120, num_items=60, num_rows=1800, seed=0, num_groups=3)
    user, item = (log.table[name].to_numpy() for name in ("user_id", "item_id"))
    held_out = np.random.default_rng(0).random(len(user)) < 0.1
    return [
        csr_matrix(
            (np.ones(part.sum(), dtype=np.float32), (user[part], item[part])), shape=(120, 60)
        )
        for part in (~held_out, held_out)
    ]


def test_on_a_synthetic_log_it_beats_popularity_by_far():
    history, targets = synthetic_parts()

    def quality(model):
        return evaluate_ranking(model.score_batch, history, targets, ["all@10"]).mean()["ndcg@10"]

    config = SparseGridConfig(factors=8, hidden=16, regularisation=0.05)
    training = TrainingConfig(epochs=4, batch_users=32, device="cpu", learning_rate=0.01)
    context = FitContext(training, validation=Validation(history, targets))
    model = fit_model(SparseGridRecommender(config), history, context)
    popularity = fit_model(Popularity(PopularityConfig()), history, context)
    assert quality(model) > 1.5 * quality(popularity)
    # The weight was chosen on the very quality, so no part alone can be better.
    assert (
        quality(model)
        >= evaluate_ranking(model._network_scores, history, targets, ["all@10"]).mean()["ndcg@10"]
    )
