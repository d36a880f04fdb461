from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsparse.config.network_models import BPRConfig, LightGCNConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.registry import build_model
from recsparse.models.row_networks.bpr import BPR
from recsparse.models.row_networks.light_gcn import LightGCN, LightGCNNetwork
from recsparse.models.row_networks.pairwise import (
    RowsBeforeOthers,
    mean_square,
    negatives_of,
    pairwise_loss,
)
from recsparse.sparse.tensor import SparseTensor
from recsparse.testing import PersonalConformance, fitted, log_of
from recsparse.training.fit import fit_model
from tests.item_features import mixed_features

TRAINING = TrainingConfig(epochs=60, batch_users=8, device="cpu", learning_rate=0.03)
SMALL = {
    "channels": 8,
    "fold_in_unobserved_weight": 0.1,
    "training": TRAINING,
    "fold_in_regularisation": 0.1,
}


class TestBPR(PersonalConformance):
    config = BPRConfig(**SMALL)


class TestLightGCN(PersonalConformance):
    config = LightGCNConfig(**SMALL, layers=2)


class TestLightGCNWithSoftmax(PersonalConformance):
    config = LightGCNConfig(**SMALL, layers=1, loss="softmax")


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_vectors_are_the_mean_of_the_powers_of_the_normalised_adjacency(layers):
    """He et al., eq. 8 and 9, with a dense matrix over users and items together."""
    log = log_of()
    torch.manual_seed(0)
    network = LightGCNNetwork(LightGCNConfig(channels=5, layers=layers), log)
    num_users = log.shape[0]
    adjacency = np.zeros((sum(log.shape), sum(log.shape)))
    adjacency[:num_users, num_users:] = log.toarray()
    adjacency += adjacency.T
    degree = np.maximum(adjacency.sum(axis=1), 1e-12)
    adjacency /= np.sqrt(np.outer(degree, degree))
    layer = torch.cat([network.users, network.items]).detach().double().numpy()
    mean = layer / (layers + 1)
    for _ in range(layers):
        layer = adjacency @ layer
        mean += layer / (layers + 1)
    users, items, bias = network.tables()
    both = torch.cat([users, items]).detach().double().numpy()
    np.testing.assert_allclose(both, mean, rtol=1e-4, atol=1e-6)
    assert bias.tolist() == [0.0] * log.shape[1]


def test_the_gradient_along_edges_is_that_of_the_dense_matrix():
    log = log_of(6, 4)
    network = LightGCNNetwork(LightGCNConfig(channels=3, layers=1), log)
    of_users = torch.randn(6, 3)
    (of_users * network.tables().users).sum().backward()
    share = network.to_users(torch.eye(4)).T @ of_users / 2
    torch.testing.assert_close(network.items.grad, share)
    torch.testing.assert_close(network.users.grad, of_users / 2)


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_the_loss_is_that_of_a_loop_over_the_cells(loss, monkeypatch):
    log = log_of()
    config = BPRConfig(channels=4, loss=loss, regularisation=0.1)
    torch.manual_seed(0)
    objective = RowsBeforeOthers(BPR(config)._new_network(log, None), log, config)
    torch.nn.init.normal_(objective.network.bias)
    rows, others = [3, 7], []

    def draw(cells):
        others.extend(negatives_of(cells).tolist())
        return torch.tensor(others)

    monkeypatch.setattr("recsparse.models.row_networks.pairwise.negatives_of", draw)
    found = objective.loss(objective.batch(rows)).item()
    users, items, bias = (each.detach().double() for each in objective.network.tables())
    scores = users @ items.T + bias
    cells = [(row, item) for row in rows for item in np.flatnonzero(log[row].toarray()[0])]
    losses = []
    for number, (row, item) in enumerate(cells):
        if loss == "bpr":
            difference = scores[row, item] - scores[row, others[number]]
            losses.append(-torch.nn.functional.logsigmoid(difference).item())
        else:
            losses.append(-scores[row].log_softmax(0)[item].item())
    weights = [log[row, item] for row, item in cells]
    vectors = [[users[row] for row, _ in cells], [items[item] for _, item in cells]]
    vectors += [items[other] for other in others] and [[items[other] for other in others]]
    penalty = sum(np.mean([v.square().sum().item() for v in each]) for each in vectors)
    expected = np.average(losses, weights=weights) + 0.1 * penalty
    assert found == pytest.approx(expected, rel=1e-4)


@given(st.lists(st.integers(0, 4), max_size=12))
def test_the_mean_square_is_that_of_vectors_laid_out(index):
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = np.mean([vectors[i].square().sum().item() for i in index]) if index else 0.0
    found = mean_square(vectors, torch.tensor(index, dtype=torch.int64))
    assert found.item() == pytest.approx(expected)


@given(st.integers(1, 5), st.integers(2, 9), st.integers(0, 99))
def test_no_item_of_the_row_is_drawn_while_there_are_others(rows, items, seed):
    """Rows hold at most half of the items, so that eight draws all but never fail."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((rows, items), dtype=np.float32)
    for row in dense:
        row[rng.choice(items, rng.integers(1, items // 2 + 1), replace=False)] = 1
    torch.manual_seed(seed)
    cells = SparseTensor.from_scipy(csr_matrix(dense))
    drawn = torch.stack([negatives_of(cells) for _ in range(8)])
    taken = dense[cells.coords[:, 1].numpy()[None], drawn.numpy()]
    assert taken.mean() <= 0.05


def test_a_row_of_all_items_keeps_one_of_its_own():
    cells = SparseTensor.from_scipy(csr_matrix(np.ones((2, 3), dtype=np.float32)))
    drawn = negatives_of(cells)
    assert drawn.shape == (6,)
    assert ((drawn >= 0) & (drawn < 3)).all()


def test_pairs_without_weight_have_no_loss():
    differences = torch.randn(4, requires_grad=True)
    pairwise_loss(differences, torch.zeros(4)).backward()
    assert differences.grad.tolist() == [0.0] * 4


@pytest.mark.parametrize("model", [BPR(BPRConfig(**SMALL)), LightGCN(LightGCNConfig(**SMALL))])
def test_users_are_solved_for_as_ials_does(model):
    """The normal equations, user by user."""
    model = fitted(model.config)
    items, config = model.items.double().numpy(), model.config
    history = log_of(seed=4)
    scores = model.score_batch(history).numpy()
    a, ridge = config.fold_in_unobserved_weight, config.fold_in_regularisation
    for user in range(5):
        row = history[user].toarray()[0]
        frequency = (row > 0).sum() + a * len(row)
        gram = (items * row[:, None]).T @ items + a * items.T @ items
        vector = np.linalg.solve(gram + ridge * frequency * np.eye(len(gram)), row @ items)
        expected = items @ vector + model.bias.numpy()
        np.testing.assert_allclose(scores[user], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("config", [BPRConfig, LightGCNConfig])
def test_features_are_added_to_the_vectors_of_items_and_learned(config):
    settings = {"channels": 4, "features": ["genres", "embedding"]}
    training = TrainingConfig(epochs=2, batch_users=8, device="cpu")
    features = mixed_features(12)
    build = partial(build_model, config(**settings, training=training))
    model = fit_model(build(), log_of(), FitContext(item_features=features))
    others = Features.of((each.name, each.kind, each.values[::-1]) for each in features.groups)
    other = fit_model(build(), log_of(), FitContext(item_features=others))
    assert not torch.equal(model.items, other.items)
    again = type(model).from_state(model.config, model.state())
    assert torch.equal(again.score_batch(log_of()), model.score_batch(log_of()))
    with pytest.raises(InputError, match=r"^features of the model .* needs features of the items"):
        fit_model(build(), log_of())
