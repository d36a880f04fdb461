import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import EASEConfig
from recsparse.config.network_models import SparseGridConfig
from recsparse.models.protocol.reasons import rows_of_cells
from recsparse.models.row_networks.grid_reasons import pooled_contributions
from recsparse.models.row_networks.sparse_grid_network import SparseGridNetwork
from recsparse.sparse.tensor import SparseTensor
from recsparse.testing import NUM_ITEMS, NUM_USERS, fitted, log_of

LOG = log_of(seed=5)
LISTED = torch.from_numpy(np.random.default_rng(2).integers(NUM_ITEMS, size=(NUM_USERS, 4)))
CONFIG = SparseGridConfig(factors=3, hidden=4, unobserved_weight=0.3, item_iterations=2)


def untrained(**settings):
    """A network whose MLP gives zeros still, with weights of items that differ."""
    generator = torch.Generator().manual_seed(0)
    config = CONFIG.model_copy(update=settings)
    network = SparseGridNetwork(config, torch.randn(NUM_ITEMS, 3, generator=generator))
    with torch.no_grad():
        network.item_log_weight.normal_(generator=generator)
        network.item_bias.normal_(generator=generator)
        network.output_vectors.weight.normal_(generator=generator)
    return network.eval()


@pytest.mark.parametrize("with_zeros", [False, True])
def test_without_an_mlp_the_cells_and_the_bias_are_the_score(with_zeros):
    network, log = untrained(), LOG.copy()
    if with_zeros:
        log.data[::4] = 0
    cells = pooled_contributions(network, log, LISTED)
    with torch.no_grad():
        expected = network(SparseTensor.from_scipy(log)).gather(1, LISTED)
    total = network.item_bias.detach()[LISTED].index_add(0, rows_of_cells(log), cells)
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-4)


def test_a_cell_adds_what_the_inverse_of_its_rows_matrix_makes_of_it():
    network = untrained()
    found = pooled_contributions(network, LOG, LISTED).numpy()
    vectors = network.item_vectors.double().numpy()
    wanted = network.output_vectors.weight.detach().double().numpy()
    for user in range(NUM_USERS):
        cells = slice(LOG.indptr[user], LOG.indptr[user + 1])
        items = LOG.indices[cells]
        own, weight = vectors[items], network.item_log_weight.detach().exp().numpy()[items]
        weight = (weight * LOG.data[cells])[:, None]
        ridge = CONFIG.regularisation * (len(items) + 0.3 * NUM_ITEMS)
        matrix = own.T @ (weight * own) + 0.3 * vectors.T @ vectors + ridge * np.eye(3)
        expected = 8.0 * weight * own @ np.linalg.inv(matrix) @ wanted[LISTED[user]].T
        np.testing.assert_allclose(found[cells], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("settings", [{"pooling": "mean"}, {"axis_blocks": 1}])
def test_rows_that_are_no_sums_of_their_cells_add_nothing(settings):
    assert not pooled_contributions(untrained(**settings), LOG, LISTED).any()


def test_the_linear_term_is_explained_and_the_mlp_is_not():
    model = fitted(
        SparseGridConfig(
            factors=4, hidden=8, item_iterations=2, linear=EASEConfig(), linear_weight=2.0
        )
    )
    found = model.contributions(LOG, None, LISTED)
    pooled = pooled_contributions(model.network, LOG, LISTED)
    linear = 2.0 * model.linear.contributions(LOG, None, LISTED).cells
    torch.testing.assert_close(found.cells, pooled + linear)
    one, other = (
        torch.zeros(LISTED.shape).index_add(0, rows_of_cells(LOG), each).abs()
        for each in (pooled, linear)
    )
    mlp = (found.rest - model.network.item_bias.detach()[LISTED]).abs()
    torch.testing.assert_close(found.explained, (one + other) / (one + other + mlp))
    assert 0 < found.explained[LOG.getnnz(axis=1) > 0].min() < 1


def test_a_row_without_cells_is_not_explained():
    model = fitted(CONFIG.model_copy(update={"linear": None}))
    empty = csr_matrix((2, NUM_ITEMS), dtype=np.float32)
    found = model.contributions(empty, None, LISTED[:2])
    assert found.cells.shape == (0, 4)
    assert not found.explained.any()
