import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call

from recsparse.config.network_models import SparseGridConfig
from recsparse.models.content.feature_encoder import FeatureEncoder
from recsparse.models.row_networks.sparse_grid_network import SparseGridNetwork
from recsparse.sparse.tensor import sparse_tensor
from tests.item_features import mixed_features

CONFIG = SparseGridConfig(factors=3, hidden=4, unobserved_weight=0.4, regularisation=0.2)


def random_cells(rows, items, seed):
    generator = torch.Generator().manual_seed(seed)
    active = torch.rand(rows, items, generator=generator) < 0.5
    coords = torch.cat([torch.zeros(int(active.sum()), 1), active.nonzero()], dim=1).long()
    weights = torch.rand(len(coords), 1, generator=generator, dtype=torch.float64) + 0.5
    return sparse_tensor(coords, weights, (rows, items), 1)


def random_network(items, config=CONFIG, features=None, seed=0):
    """A network in double precision, whose weights are all random."""
    torch.manual_seed(seed)
    encoder = None if features is None else FeatureEncoder.of(features, config.factors)
    vectors = torch.randn(items, config.factors)
    network = SparseGridNetwork(config, vectors, encoder).double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


def pooled_row_by_row(cells, network):
    """The user step of iALS, with the learned weights."""
    dense = cells.to_dense()[0, 0].numpy()
    vectors = network.item_vectors.numpy()
    item_weight = np.exp(network.item_log_weight.detach().numpy())
    a = network.ridge_pool.log_unobserved_weight.exp().item()
    r = network.ridge_pool.log_regularisation.exp().item()
    pooled = np.zeros((len(dense), vectors.shape[1]))
    for user, row in enumerate(dense):
        left = a * vectors.T @ vectors
        left += r * ((row > 0).sum() + a * len(vectors)) * np.eye(vectors.shape[1])
        right = np.zeros(vectors.shape[1])
        for item in row.nonzero()[0]:
            weight = item_weight[item] * row[item]
            left += weight * np.outer(vectors[item], vectors[item])
            right += weight * vectors[item]
        pooled[user] = np.linalg.solve(left, right)
    return pooled


@given(st.integers(0, 4), st.integers(1, 5), st.integers(0, 99))
def test_the_pooling_is_a_ridge_regression_a_row(rows, items, seed):
    cells, network = random_cells(rows, items, seed), random_network(items, seed=seed)
    with torch.no_grad():
        pooled = network.pool(cells)
    np.testing.assert_allclose(pooled, pooled_row_by_row(cells, network), atol=1e-8)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@given(st.integers(0, 4), st.integers(1, 5), st.integers(0, 99))
def test_other_poolings_are_means_of_the_weighted_vectors(pooling, rows, items, seed):
    config = CONFIG.model_copy(update={"pooling": pooling})
    cells, network = random_cells(rows, items, seed), random_network(items, config, seed=seed)
    with torch.no_grad():
        pooled = network.pool(cells).numpy()
    dense, vectors = cells.to_dense()[0, 0].numpy(), network.item_vectors.numpy()
    item_weight = np.exp(network.item_log_weight.detach().numpy())
    for user, row in enumerate(dense):
        own = row.nonzero()[0]
        weighted = vectors[own] * (item_weight[own] * row[own])[:, None]
        share = np.full(len(own), 1 / max(len(own), 1))
        if pooling == "attention" and len(own):
            score = weighted @ network.attention.score.weight.detach().numpy()[0]
            share = np.exp(score) / np.exp(score).sum()
        np.testing.assert_allclose(pooled[user], share @ weighted, atol=1e-8)


def test_a_window_mixes_items_that_are_close_and_no_others():
    config = CONFIG.model_copy(update={"window_blocks": 1, "window": 3, "pooling": "mean"})
    network = random_network(9, config)
    coords = torch.tensor([[0, 0, 1], [0, 0, 2], [0, 0, 6]])
    cells = sparse_tensor(coords, torch.ones(3, 1, dtype=torch.float64), (1, 9), 1)
    feats = network.item_vectors[coords[:, 2]].requires_grad_()
    mixed = network.blocks(cells.with_feats(feats)).feats
    reached = [
        torch.autograd.grad(mixed[cell].sum(), feats, retain_graph=True)[0].abs().sum(dim=1) > 0
        for cell in range(3)
    ]
    assert torch.stack(reached).tolist() == [
        [True, True, False], [True, True, False], [False, False, True],
    ]  # fmt: skip


def test_it_starts_as_the_user_step_of_ials():
    """The residual network starts at zero, so the scores are 8 p_u V^T."""
    torch.manual_seed(0)
    vectors = torch.randn(6, 3)
    network = SparseGridNetwork(CONFIG, vectors).eval().double()
    cells = random_cells(4, 6, seed=1)
    with torch.no_grad():
        scores = network(cells)
    a, r = CONFIG.unobserved_weight, CONFIG.regularisation
    assert network.ridge_pool.log_unobserved_weight.exp().item() == pytest.approx(a)
    assert network.ridge_pool.log_regularisation.exp().item() == pytest.approx(r)
    expected = 8 * pooled_row_by_row(cells, network) @ vectors.double().numpy().T
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_scores_are_the_formula_of_the_docstring(rows, items, seed):
    cells, network = random_cells(rows, items, seed), random_network(items, seed=seed)
    with torch.no_grad():
        scores = network(cells)
        pooled = torch.from_numpy(pooled_row_by_row(cells, network))
        for user in range(rows):
            p = pooled[user]
            direction = p / p.norm() if p.norm() > 0 else p
            users = network.scale * (p + network.residual(direction))
            expected = network.output_vectors.weight @ users + network.item_bias
            torch.testing.assert_close(scores[user], expected)


def test_a_row_without_cells_starts_with_the_item_biases():
    network = SparseGridNetwork(CONFIG, torch.randn(4, 3)).eval()
    torch.nn.init.normal_(network.item_bias)
    empty = sparse_tensor(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 1), (2, 4), 1)
    assert torch.equal(network(empty), network.item_bias.expand(2, 4))


@pytest.mark.parametrize("axis_blocks", [0, 1])
@pytest.mark.parametrize("features", [None, mixed_features(4)], ids=["none", "mixed"])
def test_all_gradients_are_right(axis_blocks, features):
    config = CONFIG.model_copy(update={"axis_blocks": axis_blocks})
    network, cells = random_network(4, config, features), random_cells(3, 4, seed=2)
    names, values = zip(*network.named_parameters(), strict=True)

    def scores(feats, *values):
        parameters = dict(zip(names, values, strict=True))
        return functional_call(network, parameters, (cells.with_feats(feats),))

    assert torch.autograd.gradcheck(
        scores, (cells.feats.clone().requires_grad_(), *values), fast_mode=True
    )


def test_the_item_vectors_are_frozen_and_not_those_that_it_was_given():
    vectors = torch.randn(4, 3)
    network = SparseGridNetwork(CONFIG, vectors)
    assert "item_vectors" not in dict(network.named_parameters())
    with torch.no_grad():
        network.output_vectors.weight.zero_()
    assert torch.equal(network.item_vectors, vectors)
    assert network.item_vectors.data_ptr() != vectors.data_ptr()


def test_axis_blocks_mix_the_cells_of_a_row_and_of_no_other():
    config = CONFIG.model_copy(update={"axis_blocks": 1})
    network, cells = random_network(5, config), random_cells(3, 5, seed=0)
    first = cells.coords[:, 1] == 0
    alone = sparse_tensor(cells.coords[first], cells.feats[first], (1, 5), 1)
    with torch.no_grad():
        torch.testing.assert_close(network.pool(cells)[:1], network.pool(alone))
        plain = random_network(5, CONFIG)
        plain.load_state_dict(network.state_dict(), strict=False)
        assert not torch.allclose(plain.pool(cells), network.pool(cells))


def test_the_features_of_an_item_are_added_to_its_vector():
    features = mixed_features(4)
    network, cells = random_network(4, features=features), random_cells(3, 4, seed=0)
    with torch.no_grad():
        items = network.output_vectors.weight + network.words()
        pooled = network.pool(cells)
        users = network.scale * (pooled + network.residual(pooled / pooled.norm(dim=1)[:, None]))
        expected = users @ items.T + network.item_bias
        torch.testing.assert_close(network(cells), expected)
        vectors, _ = network.items(torch.tensor([3, 0]))
        torch.testing.assert_close(vectors, items[[3, 0]])
