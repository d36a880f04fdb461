"""TimelineRecommender and SASRec: what they share, and what tells them apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix, diags_array

from recsparse.config.event_models import SASRecConfig, TimelineConfig
from recsparse.config.linear_models import EASEConfig
from recsparse.config.toml_reader import parse_config
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.event_networks import event_recommender as events
from recsparse.models.event_networks.event_network import EventNetwork
from recsparse.models.event_networks.event_recommender import EventRecommender
from recsparse.models.event_networks.next_event import NextEvent
from recsparse.models.event_networks.sasrec import SASRecNetwork
from recsparse.models.event_networks.timeline import TimelineNetwork
from recsparse.models.histories.sequences import Sequences
from recsparse.models.linear.ease import EASE
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.testing import (
    NUM_USERS,
    RecommenderConformance,
    fit,
    fitted,
    log_of,
    times_of,
)
from recsparse.training.fit import fit_model
from tests.models.event_logs import matrices_of, walks

SMALL_TRAINING = TrainingConfig(epochs=2, batch_users=8, device="cpu")
TIMELINE = TimelineConfig(channels=8, blocks=2, training=SMALL_TRAINING)
SASREC = SASRecConfig(channels=8, blocks=2, heads=2, training=SMALL_TRAINING)
CONFIGS = [TIMELINE, SASREC]
NUM_ITEMS = 12


class TestTimeline(RecommenderConformance):
    config = TIMELINE


class TestSASRec(RecommenderConformance):
    config = SASREC


class TestTimelineThatReadsUsers(RecommenderConformance):
    config = TIMELINE.model_copy(update={"user_features": "all"})


class TestSASRecThatReadsUsers(RecommenderConformance):
    config = SASREC.model_copy(update={"user_features": "all"})


class TestTimelineWithSampledSoftmax(RecommenderConformance):
    config = TIMELINE.model_copy(update={"full_softmax_items": 5, "negatives": 6})


def network_of(config):
    torch.manual_seed(0)
    kind = TimelineNetwork if config.kind == "timeline" else SASRecNetwork
    network = kind(config, NUM_ITEMS)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


def summaries(network, sequences):
    """Return one tensor (length, d) a user."""
    together = Sequences.of(*matrices_of(sequences, NUM_ITEMS))
    out = network(together.events())
    return out.split([len(items) for items in sequences])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_users_do_not_mix(config):
    network, users = network_of(config), [[3, 1, 4], [5], [9, 2, 6, 0, 7]]
    for user, found in zip(users, summaries(network, users), strict=True):
        (alone,) = summaries(network, [user])
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


def test_what_comes_later_changes_no_earlier_summary_of_a_timeline():
    network = network_of(TIMELINE)
    (short,), (long,) = summaries(network, [[3, 1, 4]]), summaries(network, [[3, 1, 4, 8, 2]])
    torch.testing.assert_close(long[:3], short, rtol=1e-4, atol=1e-5)


def test_what_comes_later_changes_no_earlier_summary_of_sasrec():
    # Positions count from the end, so that only what stands at them may change.
    network = network_of(SASREC)
    (first,), (second,) = summaries(network, [[3, 1, 4, 8]]), summaries(network, [[3, 1, 4, 2]])
    torch.testing.assert_close(first[:3], second[:3], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(first[3], second[3], atol=1e-2)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_the_order_of_events_matters(config):
    network = network_of(config)
    one, other = summaries(network, [[3, 1, 4], [1, 3, 4]])
    assert not torch.allclose(one[2], other[2], atol=1e-2)


def test_a_timeline_equals_dense_convolutions_of_padded_histories():
    network, items = network_of(TIMELINE), [3, 1, 4, 1 + 4, 9, 2, 6]
    (found,) = summaries(network, [items])
    x = network.item_vectors.weight[items] * TIMELINE.channels**0.5
    for number, block in enumerate(network.blocks):
        dilation = TIMELINE.dilation_base**number
        padded = torch.nn.functional.pad(block.conv_norm(x).T[None], (2 * dilation, 0))
        convolved = torch.nn.functional.conv1d(
            padded, block.conv.weight, block.conv.bias, dilation=dilation
        )[0].T
        gated = convolved[:, :8] * convolved[:, 8:].sigmoid()
        x = x + gated
        x = x + block.feed_forward(x)
    torch.testing.assert_close(found, network.norm(x), rtol=1e-4, atol=1e-5)


class Table(EventNetwork):
    """Summaries that are looked up by the item alone."""

    def forward(self, events):
        return self.embedded(events)


def loss_of(config, sequences, weights=None):
    torch.manual_seed(1)
    table = Table(config, 7)
    torch.nn.init.normal_(table.item_bias)
    together = Sequences.of(*matrices_of(sequences, 7))
    if weights is not None:
        together = replace(together, weights=np.array(weights, np.float32))
    objective = NextEvent(table, together, config)
    return objective, objective.batch(list(range(len(sequences))))


def test_the_loss_is_the_mean_over_events_of_the_next_ones_log_probability():
    sequences, weights = [[0, 1, 2], [5], [6, 3]], [9.0, 1.0, 2.0, 9.0, 9.0, 3.0]
    objective, batch = loss_of(TIMELINE, sequences, weights)
    table = objective.network
    pairs = [(0, 1, 1.0), (1, 2, 2.0), (6, 3, 3.0)]
    total = 0.0
    for item, following, weight in pairs:
        embedded = table.vectors_of(torch.tensor([item])) * TIMELINE.channels**0.5
        logits = embedded @ table.item_vectors.weight.T
        logits = logits[0] + table.item_bias
        total -= weight * logits.log_softmax(dim=0)[following].item()
    assert objective.loss(batch).item() == pytest.approx(total / 6, rel=1e-4)
    assert objective.rows.tolist() == [0, 2]


def test_the_sampled_loss_comes_near_the_full_one_with_many_negatives():
    """Drawn by a share and corrected for it, negatives stand for all items."""
    sequences = walks(40, 7, 5)
    full, batch = loss_of(TIMELINE, sequences)
    sampled_config = TIMELINE.model_copy(
        update={"full_softmax_items": 1, "negatives": 7, "negatives_exponent": 1.0}
    )
    sampled, _ = loss_of(sampled_config, sequences)
    sampled.negatives.count = 200_000
    expected = full.loss(batch).item()
    assert sampled.loss(batch).item() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_it_learns_an_order_that_a_sum_over_the_history_cannot_see(config):
    num_items = 20
    log, times = matrices_of(walks(200, num_items, 6), num_items)
    training = TrainingConfig(epochs=30, batch_users=32, learning_rate=1e-2, device="cpu")
    wider = config.model_copy(update={"channels": 16, "dropout": 0.0, "training": training})
    model = fit_model(build_model(wider), log, FitContext(TrainingConfig(), times=times))
    # The same items in either direction: what comes next is the item after the last one.
    forwards, backwards = [4, 5, 6, 7], [7, 6, 5, 4]
    history, when = matrices_of([forwards, backwards], num_items)
    best = model.score_batch(history, when).argmax(dim=1).tolist()
    assert best == [8, 5]
    ease = EASE(EASEConfig()).fit(log).score_batch(history)
    assert torch.equal(ease[0], ease[1])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_times_are_needed(config):
    model = build_model(config)
    with pytest.raises(InputError, match=r"needs the time of each interaction.* model\.kind"):
        fit_model(model, log_of(), FitContext(SMALL_TRAINING))
    with pytest.raises(InputError, match="needs the time of each interaction"):
        fitted(config).score_batch(log_of())


def test_without_a_trainer_the_fit_is_refused():
    with pytest.raises(InputError, match=r"TimelineRecommender needs context\.trainer"):
        build_model(TIMELINE).fit(log_of(), FitContext(times=times_of(log_of())))


def test_users_of_one_event_teach_popularity_alone():
    log = csr_matrix(np.eye(3, 4, dtype=np.float32)[[0, 0, 1]])
    model = fit(build_model(TIMELINE), log)
    scores = model.score_batch(csr_matrix((1, 4)))[0]
    assert scores.argsort(descending=True)[:2].tolist() == [0, 1]


def test_only_the_last_events_are_read():
    config = TIMELINE.model_copy(update={"most_events": 2})
    model = fitted(config)
    history, times = matrices_of([[3, 1, 4, 2], [5, 1, 4, 2], [3, 4, 1, 2]], NUM_ITEMS)
    scores = model.score_batch(history, times)
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(InputError, match="channels must be a multiple of heads, but are 10 with 4"):
        parse_config({"model": {"kind": "sasrec", "channels": 10, "heads": 4}})


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_users_are_scored_some_at_a_time(config, monkeypatch):
    log = csr_matrix(diags_array(1.0 - np.isin(np.arange(NUM_USERS), [0, 3, 4])) @ log_of())
    log.eliminate_zeros()
    model, times = fitted(config), times_of(log)
    expected, sizes = model.score_batch(log, times), []

    def watched(self, history, times, users):
        sizes.append(history.nnz)
        return whole(self, history, times, users)

    whole = EventRecommender._summary
    monkeypatch.setattr(EventRecommender, "_summary", watched)
    monkeypatch.setattr(events, "_EVENTS_AT_ONCE", 10)
    torch.testing.assert_close(model.score_batch(log, times), expected)
    longest = int(np.diff(log.indptr).max())
    assert len(sizes) > 2
    assert max(sizes) < 10 + longest
    assert sum(sizes) == log.nnz
