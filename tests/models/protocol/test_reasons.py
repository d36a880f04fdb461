"""What each event adds to a score, against scores without the event and against dense algebra."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import (
    ContentKNNConfig,
    EASEConfig,
    GFCFConfig,
    IALSConfig,
    ItemKNNConfig,
    NextItemRidgeConfig,
    SparseEASEConfig,
)
from recsparse.config.network_models import BPRConfig, TextTowerConfig
from recsparse.models.linear import gf_cf
from recsparse.testing import NUM_ITEMS, NUM_USERS, TRAINING, fitted, log_of, times_of

LOG = log_of(seed=5)
LISTED = torch.from_numpy(np.random.default_rng(2).integers(NUM_ITEMS, size=(NUM_USERS, 4)))
# Models whose scores of a history are those of its events one by one, added up.
LINEAR = {
    "ease": EASEConfig(regularisation=5),
    "sparse_ease": SparseEASEConfig(neighbours=4),
    "item_knn": ItemKNNConfig(neighbours=4),
    "content_knn": ContentKNNConfig(),
    "gf_cf": GFCFConfig(rank=4, item_exponent=0.4, low_pass_weight=0.3),
    "gf_cf, sharpened": GFCFConfig(rank=4, item_exponent=0.4, sharpening=0.5),
}


def without(matrix, cell):
    data = np.delete(matrix.data, cell), np.delete(matrix.indices, cell)
    row = np.searchsorted(matrix.indptr, cell, side="right") - 1
    lengths = np.diff(matrix.indptr)
    lengths[row] -= 1
    return csr_matrix((*data, np.concatenate([[0], lengths.cumsum()])), shape=matrix.shape), row


@pytest.mark.parametrize("name", LINEAR)
def test_an_event_adds_what_the_score_loses_without_it(name):
    model = fitted(LINEAR[name])
    found = model.contributions(LOG, None, LISTED)
    whole = model.score_batch(LOG).gather(1, LISTED)
    for cell in range(0, LOG.nnz, 3):
        left, row = without(LOG, cell)
        lost = whole[row] - model.score_batch(left).gather(1, LISTED)[row]
        torch.testing.assert_close(found.cells[cell], lost, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 5])
def test_the_columns_of_a_filter_are_made_some_at_a_time(monkeypatch, columns):
    model = fitted(LINEAR["gf_cf, sharpened"])
    whole = model.contributions(LOG, None, LISTED)
    monkeypatch.setattr(gf_cf, "_COLUMNS_AT_ONCE", columns)
    torch.testing.assert_close(model.contributions(LOG, None, LISTED).cells, whole.cells)


@pytest.mark.parametrize(
    "config",
    [
        EASEConfig(regularisation=5, recency_decay=0.7, recency_floor=0.1),
        NextItemRidgeConfig(decays=(0.5, 0.9), popularity_discount=0.3),
    ],
)
def test_an_event_that_fades_adds_what_is_left_of_it(config):
    """The others keep their ages, as though the event were there with weight 0."""
    model, times = fitted(config), times_of(LOG)
    found = model.contributions(LOG, times, LISTED)
    whole = model.score_batch(LOG, times).gather(1, LISTED)
    for cell in range(0, LOG.nnz, 5):
        left = LOG.copy()
        left.data[cell] = 0
        row = np.searchsorted(LOG.indptr, cell, side="right") - 1
        lost = whole[row] - model.score_batch(left, times).gather(1, LISTED)[row]
        torch.testing.assert_close(found.cells[cell], lost, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [IALSConfig(factors=3, regularisation=0.1), BPRConfig(channels=3, training=TRAINING)],
    ids=lambda config: config.kind,
)
def test_factors_give_reasons_in_closed_form(config):
    """The sum of Hu et al. 2008, section 5, with each user's matrix inverted as it stands."""
    model = fitted(config)
    vectors, ridge, bias = model.folding()
    vectors = vectors.double().numpy()
    found = model.contributions(LOG, None, LISTED)
    for user in range(NUM_USERS):
        cells = slice(LOG.indptr[user], LOG.indptr[user + 1])
        own, weights = vectors[LOG.indices[cells]], LOG.data[cells].astype(np.float64)
        shrinkage = len(own) + ridge.unobserved_weight * NUM_ITEMS
        shrinkage = ridge.regularisation * shrinkage**ridge.frequency_exponent
        matrix = ridge.unobserved_weight * vectors.T @ vectors + own.T @ (weights[:, None] * own)
        inverse = np.linalg.inv(matrix + shrinkage * np.eye(3))
        expected = weights[:, None] * (own @ inverse @ vectors[LISTED[user].numpy()].T)
        np.testing.assert_allclose(found.cells[cells].numpy(), expected, rtol=1e-3, atol=1e-5)
    expected = torch.zeros(LISTED.shape) if bias is None else bias[LISTED]
    assert torch.equal(found.rest, expected)


def test_the_tower_of_words_divides_by_the_length_of_the_whole_history():
    model = fitted(TextTowerConfig(channels=3, training=TRAINING))
    found = model.contributions(LOG, None, LISTED)
    one = csr_matrix(np.eye(NUM_ITEMS, dtype=np.float32))
    bias = model.network.item_bias.detach()
    alone = model.score_batch(one) - bias
    for user in range(NUM_USERS):
        cells = slice(LOG.indptr[user], LOG.indptr[user + 1])
        weights = torch.from_numpy(LOG.data[cells])
        each = alone[torch.from_numpy(LOG.indices[cells]).long()][:, LISTED[user]]
        expected = weights[:, None] / weights.sum().sqrt() * each
        torch.testing.assert_close(found.cells[cells], expected, rtol=1e-3, atol=1e-5)
    assert torch.equal(found.rest, bias[LISTED])
