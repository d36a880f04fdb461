import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recsparse.errors import InputError
from recsparse.layers import unpool, window_pool
from recsparse.layers.sum_pool import SparseSumPool2d
from recsparse.layers.unpool import SparseMaxUnpool1d, SparseMaxUnpool2d, SparseUnpool2d
from recsparse.layers.window_pool import SparseMaxPool1d, SparseMaxPool2d
from tests.random_grids import random_tensor, sparse_tensors


def layers_of(num_axes, *window):
    names = f"SparseUnpool{num_axes}d", f"SparseMaxUnpool{num_axes}d"
    return getattr(window_pool, f"SparseMaxPool{num_axes}d")(*window), *(
        getattr(unpool, name)(*window) for name in names
    )


@given(st.data(), st.integers(1, 4))
def test_without_overlap_every_cell_gets_the_value_of_its_window(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=4))()
    pool, copy, _ = layers_of(num_axes, 2)
    coarse = pool(x)
    out = copy(coarse, x)
    dense = coarse.to_dense().numpy()
    # A place past the last whole window has none; dense pooling drops it as well.
    fine = np.zeros(x.to_dense().shape)
    inner = tuple(slice(2 * size) for size in coarse.spatial_shape)
    for axis in range(2, dense.ndim):
        dense = dense.repeat(2, axis=axis)
    fine[(slice(None), slice(None), *inner)] = dense
    expected = np.moveaxis(fine, 1, -1)[tuple(x.coords.T.numpy())]
    assert out.grid is x.grid
    np.testing.assert_allclose(out.feats, expected)


def test_with_overlap_a_cell_gets_the_mean_of_the_windows_that_hold_it():
    x = random_tensor((5,), density=1.0)
    coarse = SparseMaxPool1d(3, 2)(x).with_feats(torch.tensor([[2.0], [4.0]]).double())
    out = unpool.SparseUnpool1d(3, 2)(coarse, x)
    assert out.feats.flatten().tolist() == [2, 2, 3, 4, 4]


@pytest.mark.parametrize("shape", [(6, 6), (7, 5)])
def test_maxima_return_to_where_they_were_as_in_torch(shape):
    x = random_tensor(shape, batch_size=2, channels=3, density=1.0)
    pooled, where = nn.MaxPool2d(2, return_indices=True)(x.to_dense())
    expected = nn.MaxUnpool2d(2)(3 * pooled, where, output_size=shape)
    coarse = SparseMaxPool2d(2)(x)
    out = SparseMaxUnpool2d(2)(coarse.with_feats(3 * coarse.feats), x)
    assert out.grid is x.grid
    torch.testing.assert_close(out.to_dense(), expected)


@settings(max_examples=15)
@given(st.data(), st.integers(1, 4))
def test_max_unpooling_is_the_transpose_of_max_pooling(data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=4))()
    pool, _, back = layers_of(num_axes, 2, 1, 1)
    feats = x.feats.clone().requires_grad_()
    pooled = pool(x.with_feats(feats))
    other = torch.linspace(-1, 2, pooled.feats.numel()).double().reshape(pooled.feats.shape)
    (transposed,) = torch.autograd.grad(pooled.feats, feats, other)
    torch.testing.assert_close(back(pooled.with_feats(other), x).feats, transposed)


def test_a_cell_that_won_two_windows_gets_their_sum():
    x = random_tensor((3,), density=1.0)
    x = x.with_feats(torch.tensor([[1.0], [9.0], [2.0]]))
    coarse = SparseMaxPool1d(2, 1)(x).with_feats(torch.tensor([[10.0], [100.0]]))
    out = SparseMaxUnpool1d(2, 1)(coarse, x)
    assert out.feats.flatten().tolist() == [0, 110, 0]


@pytest.mark.parametrize("layer", [SparseUnpool2d(2), SparseMaxUnpool2d(2)])
@pytest.mark.parametrize("shape", [(0, 4), (4, 4)])
def test_no_cells_give_no_cells(layer, shape):
    x = random_tensor(shape, batch_size=2, channels=2, density=0.0)
    out = layer(SparseSumPool2d(2)(x), x)
    assert out.grid is x.grid
    assert out.feats.shape == (0, 2)


@pytest.mark.parametrize("layer", [SparseUnpool2d(2), SparseMaxUnpool2d(2)])
def test_coarse_cells_without_a_fine_one_are_dropped_and_fine_ones_without_a_coarse_are_zero(layer):
    coarse = random_tensor((1, 2), channels=1, density=1.0).with_feats(torch.ones(2, 1))
    left = torch.tensor([True, False])
    x = random_tensor((2, 4), density=1.0, dtype=torch.float32)
    half = x.select(x.coords[:, 2] < 2)
    out = layer(coarse, half)
    assert out.feats.sum().item() == (4 if isinstance(layer, SparseUnpool2d) else 1)
    out = layer(coarse.select(left), x)
    assert out.feats[x.coords[:, 2] >= 2].tolist() == [[0.0]] * 4
    nothing = layer(coarse, x.select(x.coords[:, 2] > 9))
    assert nothing.feats.shape == (0, 1)


@pytest.mark.parametrize("layer", [SparseUnpool2d(2), SparseMaxUnpool2d(2)])
def test_a_tensor_of_an_unrelated_grid_is_refused(layer):
    x = random_tensor((2, 2))
    message = r"Unpool2d\(kernel_size=.* needs as `like` the finer tensor from which its input came"
    with pytest.raises(InputError, match=message):
        layer(x, random_tensor((7, 7)))
    with pytest.raises(InputError, match=message):
        layer(x, random_tensor((4, 4), batch_size=2))
    with pytest.raises(InputError, match="3 axes of the grid"):
        layer(random_tensor((2, 2, 2)), x)


def test_winners_of_other_channels_are_refused():
    x = random_tensor((4, 4), channels=3)
    coarse = SparseSumPool2d(2)(x)
    with pytest.raises(InputError, match=r"needs `like` of 2 channels, .* but got 3"):
        SparseMaxUnpool2d(2)(coarse.with_feats(coarse.feats[:, :2]), x)
