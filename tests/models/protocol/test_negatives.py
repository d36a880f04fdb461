import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.network_models import SoftmaxConfig, SparseGridConfig, TextTowerConfig
from recsparse.config.training import TrainingConfig
from recsparse.models.content.cosines import Cosines
from recsparse.models.content.text_tower import TextTowerNetwork
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.negatives import Negatives, negatives_where_large
from recsparse.models.protocol.objective import HiddenCells
from recsparse.models.registry import build_model
from recsparse.models.row_networks.sparse_grid_network import SparseGridNetwork
from recsparse.sparse.tensor import SparseTensor
from recsparse.training.fit import fit_model
from tests.item_features import word_features

NUM_ITEMS = 9
RNG = np.random.default_rng(0)
ROWS = csr_matrix((RNG.random((30, NUM_ITEMS)) < 0.4).astype(np.float32))
WORDS = csr_matrix((RNG.random((NUM_ITEMS, 6)) < 0.5).astype(np.float32))


def grid_network(large):
    torch.manual_seed(0)
    config = SparseGridConfig(
        factors=3, hidden=4, dropout=0.0, unobserved_weight=0.2,
        full_softmax_items=1 if large else 100,
    )  # fmt: skip
    return SparseGridNetwork(config, torch.randn(NUM_ITEMS, 3))


def tower_network(large):
    torch.manual_seed(0)
    return TextTowerNetwork(
        TextTowerConfig(channels=3, dropout=0.0), Cosines.of(word_features(WORDS), 1.0)
    )


NETWORKS = [grid_network, tower_network]


@pytest.mark.parametrize("network_of", NETWORKS)
def test_a_row_network_scores_alike_item_by_item(network_of):
    network, cells = network_of(large=False), SparseTensor.from_scipy(ROWS)
    which = torch.tensor([3, 0, 3, 8])
    vectors, bias = network.items(which)
    scores = network.row_vectors(cells) @ vectors.T + bias
    torch.testing.assert_close(scores, network(cells)[:, which])


@pytest.mark.parametrize("network_of", NETWORKS)
def test_many_negatives_come_near_the_softmax_over_what_a_row_does_not_hold(network_of):
    network = network_of(large=False)
    config = SoftmaxConfig(full_softmax_items=1, negatives=NUM_ITEMS, negatives_exponent=1.0)
    negatives = negatives_where_large(ROWS.getnnz(axis=0), config)
    negatives.count = 100_000
    objective = HiddenCells(network, ROWS, 0.5, negatives=negatives)
    batch = objective.batch([0, 1, 2, 3])
    torch.manual_seed(1)
    loss = objective.loss(batch)
    torch.manual_seed(1)
    hidden = torch.rand(len(batch.feats)) < 0.5
    kept = SparseTensor(batch.grid.select(~hidden), batch.feats[~hidden])
    scores, expected = network(kept).detach().double(), []
    for row, item in batch.coords[hidden, 1:].tolist():
        others = np.flatnonzero(ROWS[row].toarray()[0] == 0).tolist()
        expected.append(-scores[row, [item, *others]].log_softmax(dim=0)[0].item())
    assert loss.item() == pytest.approx(np.mean(expected), rel=0.01)


@pytest.mark.parametrize("network_of", NETWORKS)
def test_all_parameters_that_a_batch_needs_get_a_gradient(network_of):
    network = network_of(large=True)
    negatives = Negatives(ROWS.getnnz(axis=0), SoftmaxConfig(negatives=4))
    objective = HiddenCells(network, ROWS, 0.5, negatives=negatives)
    objective.loss(objective.batch([*range(10)])).backward()
    assert all(each.grad is not None for each in network.parameters())
    if isinstance(network, SparseGridNetwork):
        assert network.output_vectors.weight.grad.is_sparse


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=20), exponent=st.floats(0.0, 1.0))
def test_the_expected_number_of_draws_adds_up(counts, exponent):
    config = SoftmaxConfig(negatives=7, negatives_exponent=exponent)
    negatives = Negatives(np.array(counts), config)
    expected = negatives.log_expected(torch.arange(len(counts))).exp()
    assert expected.sum().item() == pytest.approx(min(7, len(counts)), rel=1e-4)
    drawn = negatives.draw(torch.device("cpu"))
    assert len(drawn) == min(7, len(counts))
    assert drawn.max() < len(counts)


def test_small_catalogues_are_not_sampled():
    assert negatives_where_large(np.ones(5), SoftmaxConfig(full_softmax_items=5)) is None
    assert negatives_where_large(np.ones(6), SoftmaxConfig(full_softmax_items=5)) is not None


def test_the_sampled_grid_network_learns_what_goes_together():
    """Items come in three groups; a user's hidden item is of the group of the others."""
    groups = RNG.integers(0, 3, 400)
    log = np.zeros((400, 30), dtype=np.float32)
    for user, group in enumerate(groups):
        log[user, RNG.choice(10, 5, replace=False) + 10 * group] = 1.0
    training = TrainingConfig(epochs=5, batch_users=32, learning_rate=1e-2, device="cpu")
    config = SparseGridConfig(
        factors=8, hidden=16, linear=None, training=training, full_softmax_items=1, negatives=10
    )
    model = fit_model(build_model(config), csr_matrix(log), FitContext(training))
    history = np.zeros((3, 30), dtype=np.float32)
    history[[0, 1, 2], [1, 12, 25]] = 1.0
    best = model.score_batch(csr_matrix(history)).topk(9).indices
    assert (best // 10).tolist() == [[0] * 9, [1] * 9, [2] * 9]
