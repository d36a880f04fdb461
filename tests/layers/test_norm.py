import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.norm import (
    SparseBatchNorm,
    SparseGroupNorm,
    SparseInstanceNorm,
    SparseLayerNorm,
    SparseSyncBatchNorm,
)
from recsparse.sparse.concatenate import cat
from tests.random_grids import random_tensor, sparse_tensors


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


def with_drawn_parameters(layer):
    """Move weight and bias away from 1 and 0, which would hide that they are left out."""
    generator = torch.Generator().manual_seed(0)
    for part in layer.parameters():
        part.data = torch.randn(part.shape, generator=generator, dtype=part.dtype)
    return layer


DENSE = {
    "instance": (SparseInstanceNorm, nn.InstanceNorm2d, (4,), {}),
    "affine instance": (SparseInstanceNorm, nn.InstanceNorm2d, (4,), {"affine": True}),
    "tracking instance": (
        SparseInstanceNorm,
        nn.InstanceNorm2d,
        (4,),
        {"affine": True, "track_running_stats": True, "momentum": 0.3},
    ),
    "group": (SparseGroupNorm, nn.GroupNorm, (2, 4), {}),
    "plain group": (SparseGroupNorm, nn.GroupNorm, (4, 4), {"affine": False, "eps": 0.1}),
    "one group": (SparseGroupNorm, nn.GroupNorm, (1, 4), {}),
}


@pytest.mark.parametrize("kind", DENSE)
def test_where_all_cells_are_active_the_dense_layer_is_met_and_its_state_fits(kind):
    ours, torchs, sizes, settings = DENSE[kind]
    sparse = with_drawn_parameters(ours(*sizes, **settings).double())
    dense = torchs(*sizes, **settings).double()
    dense.load_state_dict(sparse.state_dict())
    for seed in (1, 2):
        x = random_tensor((3, 5), batch_size=3, channels=4, density=1.0, seed=seed)
        feats = x.feats.clone().requires_grad_()
        wide = x.to_dense().requires_grad_()
        out, expected = sparse(x.with_feats(feats)), dense(wide)
        torch.testing.assert_close(out.to_dense(), expected)
        into = torch.linspace(-1, 2, expected.numel()).double().reshape(expected.shape)
        (expected * into).sum().backward()
        (out.to_dense() * into).sum().backward()
        torch.testing.assert_close(x.with_feats(feats.grad).to_dense(), wide.grad)
    for name, part in dense.named_parameters():
        torch.testing.assert_close(sparse.get_parameter(name).grad, part.grad)
    for name, value in dense.state_dict().items():
        torch.testing.assert_close(sparse.state_dict()[name], value)
    torch.testing.assert_close(sparse.eval()(x).to_dense(), dense.eval()(x.to_dense()))


@given(sparse_tensors(2, channels=4), st.sampled_from([1, 2, 4]))
def test_groups_of_channels_are_normalised_over_the_active_cells_of_a_sample(make, groups):
    x = make()
    out = SparseGroupNorm(groups, 4).double()(x)
    expected = x.feats.numpy().copy()
    for sample in range(x.batch_size):
        rows = (x.coords[:, 0] == sample).numpy()
        for channels in np.split(np.arange(4), groups):
            values = expected[np.ix_(rows, channels)]
            if values.size:
                scaled = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
                expected[np.ix_(rows, channels)] = scaled
    assert out.grid is x.grid
    np.testing.assert_allclose(out.feats.detach(), expected, atol=1e-9)


@given(sparse_tensors(2))
def test_an_instance_is_each_channel_over_the_active_cells_of_a_sample(make):
    x = make()
    out = SparseInstanceNorm(x.num_channels)(x)
    expected = x.feats.numpy().copy()
    for sample in range(x.batch_size):
        rows = (x.coords[:, 0] == sample).numpy()
        if rows.any():
            values = expected[rows]
            expected[rows] = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-5)
    assert out.grid is x.grid
    np.testing.assert_allclose(out.feats, expected, atol=1e-9)


@pytest.mark.parametrize("layer", [SparseInstanceNorm(2), SparseGroupNorm(1, 2)])
def test_samples_do_not_mix_and_empty_ones_do_no_harm(layer):
    x, y = (random_tensor((3, 4), channels=2, seed=seed) for seed in (1, 2))
    nothing = random_tensor((3, 4), batch_size=2, channels=2, density=0.0)
    together = layer.double()(cat([nothing, x, nothing, y])).feats
    torch.testing.assert_close(together, torch.cat([layer(x).feats, layer(y).feats]))
    assert layer(nothing).feats.shape == (0, 2)


def test_a_sample_of_one_cell_gets_the_bias():
    x = random_tensor((1, 1), batch_size=2, channels=2, density=1.0)
    layer = with_drawn_parameters(SparseInstanceNorm(2, affine=True).double())
    torch.testing.assert_close(layer(x).feats, layer.bias.expand(2, 2))


@pytest.mark.parametrize("batch_size", [0, 2])
@pytest.mark.parametrize("density", [0.0, 1.0], ids=["no cell", "one cell"])
def test_samples_without_variance_leave_the_running_statistics(batch_size, density):
    layer = SparseInstanceNorm(2, track_running_stats=True).double()
    alone = SparseInstanceNorm(2, track_running_stats=True).double()
    lonely = random_tensor((1, 1), batch_size=batch_size, channels=2, density=density)
    layer(lonely)
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([0, 0], [1, 1])
    x = random_tensor((1, 3), channels=2, density=1.0)
    padded = random_tensor((1, 3), batch_size=batch_size, channels=2, density=density)
    padded = padded.select(padded.coords[:, 2] == 0)
    layer(cat([padded, x]))
    alone(x)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[name], value)


def test_channels_far_from_zero_keep_their_variance():
    x = random_tensor((40, 40), channels=2, density=1.0, dtype=torch.float32)
    for layer in (SparseInstanceNorm(2), SparseGroupNorm(2, 2)):
        near, far = layer(x).feats, layer(x.with_feats(x.feats + 1000)).feats
        torch.testing.assert_close(far, near, atol=2e-3, rtol=0)


NORMS = {
    "batch": SparseBatchNorm(2),
    "synchronised": SparseSyncBatchNorm(2),
    "layer": SparseLayerNorm(2),
    "instance": SparseInstanceNorm(2, affine=True),
    "group": SparseGroupNorm(1, 2),
}


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize("low", [False, True], ids=["float32", "bfloat16"])
def test_autocast_keeps_types_as_torch_does_and_statistics_exact(kind, low):
    x = random_tensor((30, 30), channels=2).to(torch.bfloat16).to(torch.float32)
    layer = NORMS[kind].float()
    exact = layer(x).feats
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x.to(torch.bfloat16) if low else x).feats
    assert out.dtype == (torch.bfloat16 if low else torch.float32)
    torch.testing.assert_close(out.float(), exact, atol=1e-5, rtol=0.01)


@pytest.mark.parametrize("kind", NORMS)
def test_a_norm_of_other_channels_is_refused_by_its_name(kind):
    layer = NORMS[kind]
    message = f"{type(layer).__name__}.* needs feats of 2 channels, but got 3"
    with pytest.raises(InputError, match=message):
        layer(random_tensor((2, 2), channels=3))


@pytest.mark.parametrize("kind", NORMS)
def test_nan_stays_in_what_is_normalised_together(kind):
    layer, x = NORMS[kind].double(), random_tensor((3, 3), batch_size=2, channels=2, density=1.0)
    feats = x.feats.clone()
    feats[0, 0] = torch.nan
    bad = layer(x.with_feats(feats)).feats.isnan()
    expected = torch.zeros(18, 2, dtype=torch.bool)
    rows = {"batch": 18, "synchronised": 18, "layer": 1, "instance": 9, "group": 9}[kind]
    expected[:rows, : 2 if kind in ("layer", "group") else 1] = True
    assert torch.equal(bad, expected)
    if hasattr(layer, "reset_running_stats"):
        layer.reset_running_stats()


def test_conversion_for_several_processes_keeps_sparse_layers_sparse():
    x = random_tensor((4, 4), channels=2)
    network = nn.ModuleDict({"sparse": SparseBatchNorm(2), "dense": nn.BatchNorm1d(2)}).double()
    with_drawn_parameters(network)
    expected = SparseBatchNorm(2).double()
    expected.load_state_dict(network["sparse"].state_dict())
    names = network.state_dict().keys()
    converted = SparseSyncBatchNorm.convert_sync_batchnorm(network)
    assert isinstance(converted["sparse"], SparseSyncBatchNorm)
    assert type(converted["dense"]) is nn.SyncBatchNorm
    assert converted.state_dict().keys() == names
    torch.testing.assert_close(converted["sparse"](x).feats, expected(x).feats)
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(converted["sparse"].state_dict()[name], value)


def test_conversion_of_a_layer_alone_gives_the_layer_that_stands_for_it():
    converted = SparseSyncBatchNorm.convert_sync_batchnorm(SparseBatchNorm(3, eps=0.1))
    assert isinstance(converted, SparseSyncBatchNorm)
    assert (converted.num_features, converted.eps) == (3, 0.1)


@pytest.mark.parametrize("kind", NORMS)
def test_first_and_second_gradients_equal_finite_differences(kind):
    x = random_tensor((3, 3), batch_size=2, channels=2)
    layer = NORMS[kind].double()
    inputs = (x.feats.clone().requires_grad_(), *layer.parameters())

    def normalise(feats, *_):
        return layer(x.with_feats(feats)).feats

    assert torch.autograd.gradcheck(normalise, inputs)
    assert torch.autograd.gradgradcheck(normalise, inputs)
