import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.network_models import MultVAEConfig
from recsparse.config.training import TrainingConfig
from recsparse.errors import InputError
from recsparse.models.row_networks.mult_vae import EvidenceLowerBound, MultVAE, MultVAENetwork
from recsparse.sparse.tensor import SparseTensor
from recsparse.testing import PersonalConformance, RecommenderConformance, log_of

LONGER = TrainingConfig(epochs=60, batch_users=8, learning_rate=1e-2, device="cpu")
SMALL = MultVAEConfig(hidden=16, latent=8, annealing_steps=20, training=LONGER)
DENOISING = SMALL.model_copy(update={"kl_weight": 0.0})


class TestMultVAE(RecommenderConformance):
    config = SMALL


class TestMultDAE(PersonalConformance):
    config = DENOISING


def network_and_rows(config):
    torch.manual_seed(0)
    network = MultVAENetwork(config, 12).eval()
    torch.nn.init.normal_(network.hidden_bias)
    return network, log_of()


def test_the_first_layer_is_that_of_the_dense_row_of_norm_one():
    network, log = network_and_rows(SMALL)
    mean, log_variance = network.encode(SparseTensor.from_scipy(log))
    x = torch.from_numpy(log.toarray())
    x = x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
    hidden = torch.tanh(x @ network.item_vectors.weight + network.hidden_bias)
    expected = network.to_distribution(hidden)
    torch.testing.assert_close(torch.cat([mean, log_variance], dim=1), expected)


@pytest.mark.parametrize("steps", [0, 9, 500])
def test_the_loss_is_likelihood_and_annealed_divergence(steps):
    network, log = network_and_rows(SMALL)
    network.steps += steps
    objective = EvidenceLowerBound(network, log, SMALL)
    rows = objective.rows.tolist()
    batch = objective.batch(rows)
    torch.manual_seed(3)
    found = objective.loss(batch)
    mean, log_variance = network.encode(batch)
    torch.manual_seed(3)
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    latent = mean + torch.randn_like(mean) * normal.scale
    targets = torch.from_numpy(log.toarray()[rows])
    likelihood = (network.decoder(latent).log_softmax(dim=1) * targets).sum(dim=1).mean()
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    divergence = torch.distributions.kl_divergence(normal, prior).sum(dim=1).mean()
    weight = 0.2 * min((steps + 1) / 20, 1)
    torch.testing.assert_close(found, weight * divergence - likelihood)
    assert rows == np.flatnonzero(log.getnnz(axis=1)).tolist()


def test_the_denoising_one_samples_nothing():
    network, log = network_and_rows(DENOISING)
    objective = EvidenceLowerBound(network, log, DENOISING)
    batch = objective.batch([0, 1])
    assert objective.loss(batch).item() == objective.loss(batch).item()


def test_without_a_trainer_the_fit_is_refused():
    with pytest.raises(InputError, match=r"MultVAE needs context\.trainer"):
        MultVAE(SMALL).fit(csr_matrix(np.ones((2, 2))))
