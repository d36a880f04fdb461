import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.objective import HiddenCells
from recsparse.training.optimise import optimise_network
from tests.training.logit_table import Table, by_epoch, fitted, going_on, settings


def test_on_epoch_gets_the_metrics_of_every_epoch_in_order():
    epochs = []
    plan = FitContext(settings(3), on_epoch=lambda epoch, metrics: epochs.append((epoch, metrics)))
    fitted(plan, by_epoch([0.1, 0.2, 0.3]))
    assert [epoch for epoch, _ in epochs] == [0, 1, 2]
    assert [metrics["validation_ndcg"] for _, metrics in epochs] == pytest.approx([0.1, 0.2, 0.3])
    assert [set(metrics) for _, metrics in epochs] == [{"train_loss", "validation_ndcg"}] * 3


def test_the_loss_falls_to_what_the_popularity_of_items_allows():
    """Items 0 to 4 of 20 are all that anyone has."""
    rows = csr_matrix(np.repeat([[1.0] * 5 + [0.0] * 15], 16, axis=0))
    losses = []
    plan = FitContext(
        settings(30), on_epoch=lambda _, metrics: losses.append(metrics["train_loss"])
    )
    network = Table()
    network.dropout.p = 0.0
    optimise_network(HiddenCells(network, rows, 0.5), plan)
    # About half of the five are hidden and compete with each other alone.
    assert losses[0] == pytest.approx(math.log(20 - 2.5), abs=0.2)
    assert losses[-1] < math.log(5)


def test_without_validation_the_last_weights_stay():
    weights = []
    network = Table()
    plan = FitContext(settings(3), on_epoch=lambda *_: weights.append(network.logits.tolist()))
    assert fitted(plan, network=network).tolist() == weights[-1]
    assert weights[-1] != weights[-2]


def test_the_weights_of_the_best_epoch_come_back():
    weights = []
    network = Table()
    plan = FitContext(settings(4), on_epoch=lambda *_: weights.append(network.logits.tolist()))
    best = fitted(plan, by_epoch([0.1, 0.9, 0.2, 0.3]), network)
    assert len(weights) == 4
    assert best.tolist() == weights[1]


def test_the_start_comes_back_where_no_epoch_is_better_than_the_start(caplog):
    network = Table()
    start = network.logits.detach().clone()
    best = fitted(going_on(), by_epoch([0.5, 0.4, 0.3, 0.4]), network)
    assert torch.equal(best, start)
    assert "no epoch is better than the start: validation_ndcg 0.4000, was 0.5000" in caplog.text


def test_an_epoch_better_than_the_start_is_taken():
    weights = []
    network = Table()
    plan = going_on(on_epoch=lambda *_: weights.append(network.logits.tolist()))
    best = fitted(plan, by_epoch([0.5, 0.4, 0.6, 0.4]), network)
    assert best.tolist() == weights[1]


def test_without_validation_a_model_that_goes_on_has_its_last_weights():
    assert torch.equal(fitted(going_on()), fitted(FitContext(settings(3))))


def test_the_training_stops_after_patience_epochs_without_a_better_one():
    epochs = []
    plan = FitContext(settings(9, patience=2), on_epoch=lambda epoch, _: epochs.append(epoch))
    fitted(plan, by_epoch([0.1, 0.5, 0.4, 0.4, 0.9]))
    assert epochs == [0, 1, 2, 3]


def test_validation_sees_the_network_without_dropout_and_training_with_it():
    modes = []

    class Watched(Table):
        def forward(self, cells):
            modes.append(self.training)
            return super().forward(cells)

    network = Watched()
    validated = []
    fitted(FitContext(settings(2)), lambda: validated.append(network.training) or 0.5, network)
    assert validated == [False, False]
    assert modes == [True] * 6  # 40 users in batches of 16, twice


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    first = fitted(FitContext(settings(), seed=1))
    torch.rand(3)
    np.random.default_rng().random()
    assert torch.equal(fitted(FitContext(settings(), seed=1)), first)
    assert not torch.equal(fitted(FitContext(settings(), seed=2)), first)
