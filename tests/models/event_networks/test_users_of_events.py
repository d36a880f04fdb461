"""Features of users in the networks of events."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.content.user_encoder import UserColumns, UserEncoder
from recsparse.models.event_networks.timeline import TimelineNetwork
from recsparse.models.histories.sequences import Sequences
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.training.fit import fit_model
from tests.item_features import mixed_features
from tests.models.event_logs import matrices_of

TRAINING = TrainingConfig(epochs=60, batch_users=16, learning_rate=1e-2, device="cpu")
SIZES = {"channels": 8, "blocks": 1, "dropout": 0.0, "user_features": "all", "training": TRAINING}
CONFIGS = [TimelineConfig(**SIZES), SASRecConfig(**SIZES)]
NUM_ITEMS, NUM_USERS = 12, 60
GROUP = np.arange(NUM_USERS) % 3
GROUPS = csr_matrix(np.eye(3, dtype=np.float32)[GROUP])
USERS = Features.of([("group", "categories", GROUPS)])


def fitted(config, users=USERS):
    """Each user takes four items, all of the user's group, in any order."""
    rng = np.random.default_rng(0)
    walks = [rng.permutation(4)[:3] * 3 + group for group in GROUP]
    log, times = matrices_of([walk.tolist() for walk in walks], NUM_ITEMS)
    context = FitContext(TRAINING, times=times, user_features=users)
    return fit_model(build_model(config), log, context), log, times


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_user_without_events_gets_what_users_of_the_same_features_take(config):
    model, _, _ = fitted(config)
    nothing = csr_matrix((3, NUM_ITEMS), dtype=np.float32)
    scores = model.score_users(nothing, nothing.astype(np.int64), USERS.rows(np.arange(3)))
    for group, row in enumerate(scores):
        assert sorted(row.topk(4).indices.tolist()) == [group, group + 3, group + 6, group + 9]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_network_that_reads_users_is_saved_and_loaded(config):
    users = mixed_features(NUM_USERS)
    model, log, times = fitted(config, users)
    again = type(model).from_state(config, model.state())
    scores = (each.score_users(log, times, users) for each in (model, again))
    torch.testing.assert_close(*scores, rtol=0, atol=0)
    assert not torch.equal(model.score_users(log, times, users), model.score_batch(log, times))
    assert not model.continues()


def test_batches_of_users_are_scored_as_one():
    model, log, times = fitted(CONFIGS[0])
    whole = model.score_users(log, times, USERS)
    halves = [
        model.score_users(log[some], times[some], USERS.rows(some))
        for some in (slice(0, 25), slice(25, NUM_USERS))
    ]
    torch.testing.assert_close(torch.cat(halves), whole, rtol=1e-4, atol=1e-5)


def test_an_untrained_encoder_adds_nothing_and_users_are_encoded_as_one_dense_matrix_would_be():
    users = mixed_features(7)
    encoder = UserEncoder.of(users, 3)
    assert not encoder(UserColumns.of(users)).any()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    dense = torch.from_numpy(np.hstack([users.sparse().toarray(), users.dense()]))
    weights = torch.cat([encoder.encoder.weight, encoder.linear.weight.T])
    torch.testing.assert_close(encoder(UserColumns.of(users)), dense @ weights)


def test_what_is_read_adds_to_the_state_of_each_event_of_its_user():
    model, log, times = fitted(CONFIGS[0])
    network = model.network
    assert isinstance(network, TimelineNetwork)
    events = Sequences.of(log, times).events()
    users = UserColumns.of(USERS)
    added = network.states(events, users) - network.states(events)
    torch.testing.assert_close(added, network.users(users)[events.grid.coords[:, 1]])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_without_features_of_users_nothing_is_fitted(config):
    with pytest.raises(InputError, match=r"user_features of the model .* needs features of the us"):
        fitted(config, None)
