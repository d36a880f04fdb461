import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

from recsparse.layers.norm import SparseBatchNorm, SparseLayerNorm
from tests.grids import random_tensor, sparse_tensors


def test_batches_are_normalised_over_the_active_cells_alone():
    x = random_tensor((4, 4), batch_size=2, channels=3)
    out = SparseBatchNorm(3).double()(x)
    active = (x.to_dense() != 0).numpy()
    for channel in range(3):
        values = x.to_dense().numpy()[:, channel][active[:, channel]]
        expected = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
        np.testing.assert_allclose(
            out.to_dense().detach().numpy()[:, channel][active[:, channel]], expected
        )
    assert out.grid is x.grid


def test_running_statistics_and_evaluation_are_those_of_torch():
    x, ours, torchs = random_tensor((4, 4), channels=2), SparseBatchNorm(2), nn.BatchNorm1d(2)
    ours, torchs = ours.double(), torchs.double()
    for layer, given_feats in ((ours, x), (torchs, x.feats)):
        layer(given_feats)
        layer.eval()
    for name, value in torchs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    assert torch.equal(ours(x).feats, torchs(x.feats))


@pytest.mark.parametrize("density", [0.0, 1.0], ids=["no cell", "one cell"])
def test_a_batch_without_variance_is_normalised_by_the_running_statistics(density):
    layer = SparseBatchNorm(2).double()
    layer(random_tensor((4, 4), channels=2))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    x = random_tensor((1, 1), channels=2, density=density)
    mean, variance = before["running_mean"], before["running_var"]
    torch.testing.assert_close(layer(x).feats, (x.feats - mean) / (variance + 1e-5).sqrt())
    assert all(torch.equal(layer.state_dict()[name], before[name]) for name in before)


def test_without_running_statistics_one_cell_has_no_variance():
    layer = SparseBatchNorm(1, track_running_stats=False).double()
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        layer(random_tensor((1, 1), density=1.0))


@given(sparse_tensors(2, channels=3))
def test_layer_normalisation_normalises_each_cell_over_its_channels(make):
    x = make()
    out = SparseLayerNorm(3).double()(x)
    rows = x.feats.numpy()
    expected = (rows - rows.mean(axis=1, keepdims=True)) / np.sqrt(
        rows.var(axis=1, keepdims=True) + 1e-5
    )
    np.testing.assert_allclose(out.feats.detach(), expected, atol=1e-12)
    assert out.grid is x.grid


@pytest.mark.parametrize("layer", [SparseBatchNorm(2), SparseLayerNorm(2)])
def test_the_gradients_equal_finite_differences(layer):
    x = random_tensor((3, 3), channels=2)
    layer = layer.double()
    inputs = (x.feats.clone().requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(lambda f, *_: layer(x.with_feats(f)).feats, inputs)
