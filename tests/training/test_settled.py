"""What a fit chose by validation, and a fit without one that takes it over."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.event_models import TimelineConfig
from recsparse.config.network_models import (
    LightGCNConfig,
    MultVAEConfig,
    SparseGridConfig,
    TextTowerConfig,
)
from recsparse.config.rating_models import RatingGridConfig
from recsparse.config.training import TrainingConfig
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import HiddenCells
from recsparse.models.registry import build_model
from recsparse.testing import times_of
from recsparse.training.fit import fit_model
from recsparse.training.optimise import optimise_network
from tests.item_features import word_features
from tests.training.logit_table import ROWS, Table, by_epoch, fitted, judge, settings
from tests.validations import judged_by

TRAINING = TrainingConfig(epochs=5, batch_users=16, learning_rate=0.05, device="cpu", patience=5)
CONFIGS = [
    MultVAEConfig(hidden=8, latent=4),
    LightGCNConfig(channels=4, layers=1, training=TRAINING),
    SparseGridConfig(factors=4, hidden=8, item_iterations=2),
    TextTowerConfig(channels=4, training=TRAINING),
    TimelineConfig(channels=4, blocks=1),
    RatingGridConfig(channels=4, hidden=4, bayes=None, training=TRAINING),
]


def test_a_training_says_after_how_many_epochs_it_was_best(tmp_path):
    plan = FitContext(settings(5, patience=5), checkpoints=tmp_path / "a")
    objective = HiddenCells(Table(), ROWS, 0.5)
    assert optimise_network(objective, plan, judge(by_epoch([0.1, 0.2, 0.7, 0.3, 0.4]))) == 3
    assert optimise_network(objective, replace(plan, resume=True)) == 3
    assert optimise_network(objective, FitContext(settings(4))) == 4


def test_a_training_that_is_stopped_early_has_the_rates_of_the_whole_one():
    network, at_epoch = Table(), []

    def quality():
        at_epoch.append(network.logits.detach().clone())
        return float(len(at_epoch))

    fitted(FitContext(settings(4)), quality, network)
    stopped = fitted(FitContext(settings(4, stop_after=2)))
    torch.testing.assert_close(stopped, at_epoch[1])


def words_of(num_items):
    words = csr_matrix((np.random.default_rng(1).random((num_items, 6)) < 0.5).astype(np.float32))
    return word_features(words)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_settled_model_is_fitted_likewise_without_validation(config):
    log = ROWS.multiply(np.arange(1, 21) % 5 + 1.0).tocsr() if "rating" in config.kind else ROWS
    log = csr_matrix(log, dtype=np.float32)
    given = {"times": times_of(log), "item_features": words_of(log.shape[1])}
    # The third epoch is the best; what comes after it only weighs what was trained.
    quality = by_epoch([0.1, 0.2, 0.9, *[0.3] * 30])
    context = FitContext(TRAINING, validation=judged_by(lambda _: quality()), **given)
    first = fit_model(build_model(config), log, context)
    settled = first.settled()
    assert settled.training.stop_after == 3
    again = fit_model(build_model(settled), log, FitContext(**given))
    torch.testing.assert_close(
        again.score_batch(log, given["times"]), first.score_batch(log, given["times"])
    )


def test_a_model_of_other_scoring_settings_knows_how_its_network_was_trained():
    config = LightGCNConfig(channels=4, layers=1, training=TRAINING)
    model = fit_model(build_model(config), ROWS, FitContext(TRAINING))
    other = model.with_settings(config.model_copy(update={"fold_in_regularisation": 0.5}))
    assert other.settled().training.stop_after == 5
    assert other.settled().fold_in_regularisation == 0.5
