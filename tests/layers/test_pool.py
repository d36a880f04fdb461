import itertools
import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers.pool import AxisPool, GlobalPool, RidgePool
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor, sparse_tensors

REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "lp": lambda rows, axis: np.sqrt(np.square(rows).sum(axis=axis)),
}
reductions = st.sampled_from(list(REDUCTIONS))


def pooled_one_by_one(x, gone, reduce):
    """Pool over the axes `gone` with a loop over all places of the others."""
    kept = [axis for axis in range(len(x.spatial_shape)) if axis not in gone]
    sizes = (x.batch_size, *[x.spatial_shape[axis] for axis in kept])
    out = np.zeros((*sizes, x.num_channels))
    places = x.coords.numpy()[:, [0, *[1 + axis for axis in kept]]]
    for place in itertools.product(*map(range, sizes)):
        rows = x.feats.numpy()[(places == place).all(axis=1)]
        if len(rows):
            out[place] = REDUCTIONS[reduce](rows, axis=0)
    return out


@given(st.data(), st.integers(1, 3), reductions)
def test_an_axis_is_pooled_over_its_active_cells(data, num_axes, reduce):
    x = data.draw(sparse_tensors(num_axes, max_size=3))()
    axis = data.draw(st.integers(0, num_axes - 1))
    pooled = AxisPool(axis, reduce)(x)
    expected = pooled_one_by_one(x, [axis], reduce)
    assert pooled.shape == expected.shape
    np.testing.assert_allclose(pooled, expected, atol=1e-12)


@given(sparse_tensors(3, max_size=3), st.lists(st.integers(0, 2), unique=True), reductions)
def test_several_axes_are_pooled_at_once_dense_or_sparse(make, gone, reduce):
    x = make()
    expected = pooled_one_by_one(x, gone, reduce)
    pooled = AxisPool(gone, reduce)(x)
    assert pooled.shape == expected.shape
    np.testing.assert_allclose(pooled, expected, atol=1e-12)
    if len(gone) < 3:
        sparse = AxisPool(gone, reduce, sparse=True)(x)
        kept = [0, *[1 + axis for axis in range(3) if axis not in gone]]
        assert sparse.coords.tolist() == x.coords[:, kept].unique(dim=0).tolist()
        np.testing.assert_allclose(sparse.to_dense().movedim(1, -1), expected, atol=1e-12)


def test_a_sparse_result_needs_no_memory_for_empty_lines_and_shares_one_grid():
    coords = torch.tensor([[0, 7, 10**9, 1], [0, 7, 10**9, 2], [0, 10**9, 3, 0]])
    x = sparse_tensor(
        coords, torch.tensor([[1.0], [2.0], [4.0]]), (1_200_000_000, 1_200_000_000, 3), 1
    )
    total, largest = (AxisPool(2, reduce, sparse=True)(x) for reduce in ("sum", "max"))
    assert total.spatial_shape == (1_200_000_000, 1_200_000_000)
    assert total.coords.tolist() == [[0, 7, 10**9], [0, 10**9, 3]]
    assert total.feats.tolist() == [[3.0], [4.0]]
    assert largest.grid is total.grid


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_first_and_second_gradients_of_lines_equal_finite_differences(reduce, sparse):
    x, layer = random_tensor((3, 4), channels=2), AxisPool(0, reduce, sparse=sparse)

    def pool(feats):
        pooled = layer(x.with_feats(feats**2 + feats))
        return pooled.feats if sparse else pooled

    feats = x.feats.clone().requires_grad_()
    assert torch.autograd.gradcheck(pool, feats)
    assert torch.autograd.gradgradcheck(pool, feats)


@pytest.mark.parametrize("pool", [GlobalPool("lp", 3.0), AxisPool((0, 1), "lp", 3.0)])
def test_the_exponent_of_a_p_norm_can_be_chosen(pool):
    x = random_tensor((3, 3), channels=2)
    x = x.with_feats(x.feats.abs())
    expected = np.cbrt((x.feats.numpy() ** 3).sum(axis=0))
    np.testing.assert_allclose(pool(x)[0], expected)


def test_a_sparse_result_without_an_axis_is_refused():
    with pytest.raises(InputError, match=r"needs an axis that stays, but got axis=\(0, 1\)"):
        AxisPool((0, 1), sparse=True)(random_tensor((2, 2)))


@pytest.mark.parametrize("layer", [GlobalPool, partial(AxisPool, 0)])
def test_an_exponent_without_a_root_is_refused(layer):
    with pytest.raises(InputError, match="norm_type must be positive and finite, but got 0"):
        layer("lp", 0.0)


@given(st.data(), st.integers(1, 3), reductions)
def test_a_sample_is_pooled_over_its_active_cells(data, num_axes, reduce):
    x = data.draw(sparse_tensors(num_axes, max_size=3))()
    pooled = GlobalPool(reduce)(x)
    expected = pooled_one_by_one(x, range(num_axes), reduce)
    assert pooled.shape == (x.batch_size, x.num_channels)
    np.testing.assert_allclose(pooled, expected, atol=1e-12)


def test_a_maximum_below_zero_is_not_raised_to_the_empty_cells():
    x = random_tensor((3, 3), density=1.0)
    x = x.with_feats(-x.feats.abs() - 1).select(torch.arange(9) < 4)
    assert (AxisPool(1, "max")(x)[0, :2] < 0).all()
    assert AxisPool(1, "max")(x)[0, 2].item() == 0
    assert GlobalPool("max")(x).item() == x.feats.max().item()


@pytest.mark.parametrize("axis", [2, -1, (0, 2)])
def test_an_axis_that_the_grid_lacks_is_refused(axis):
    with pytest.raises(InputError, match=re.escape(f"axis must be from 0 to 1, but got {axis}")):
        AxisPool(axis)(random_tensor((2, 2)))


def test_an_unknown_reduction_is_refused(unchecked_types):
    with pytest.raises(InputError, match="reduce must be one of sum, mean, max, lp, but got 'min'"):
        AxisPool(0, "min")
    with pytest.raises(InputError, match="reduce must be one of sum, mean, max, lp, but got 'min'"):
        GlobalPool("min")


def weights_and_columns(x, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(len(x.feats), generator=generator, dtype=torch.float64)
    columns = torch.randn(
        x.spatial_shape[1], x.num_channels, generator=generator, dtype=torch.float64
    )
    return weights, columns


@given(st.data(), st.floats(0.01, 2), st.floats(0.01, 2))
def test_each_row_solves_its_ridge_regression(data, unobserved, regularisation):
    x = data.draw(sparse_tensors(2, batch_size=1))()
    weights, columns = weights_and_columns(x)
    pooled = RidgePool(unobserved, regularisation).double()(x, weights, columns)
    assert pooled.shape == (x.spatial_shape[0], x.num_channels)
    gram = unobserved * columns.numpy().T @ columns.numpy()
    for row in range(x.spatial_shape[0]):
        own = (x.coords[:, 1] == row).numpy()
        h, w = x.feats.numpy()[own], weights.numpy()[own]
        ridge = regularisation * (len(h) + unobserved * len(columns))
        left = (h.T * w) @ h + gram + ridge * np.eye(x.num_channels)
        expected = np.linalg.solve(left, h.T @ w) if len(h) else np.zeros(x.num_channels)
        # The layer holds its two settings in single precision.
        np.testing.assert_allclose(pooled[row].detach(), expected, rtol=1e-4, atol=1e-5)


def test_a_light_ridge_lets_the_vector_reproduce_the_ones_of_its_cells():
    x = random_tensor((3, 2), channels=4, density=1.0)
    weights, columns = weights_and_columns(x)
    pooled = RidgePool(1e-9, 1e-9).double()(x, weights + 1, columns)
    products = (x.feats * pooled[x.coords[:, 1]]).sum(dim=1)
    torch.testing.assert_close(products.detach(), torch.ones(6).double(), atol=1e-5, rtol=0)


def test_the_gradients_of_features_and_settings_equal_finite_differences():
    x = random_tensor((3, 4), channels=2)
    weights, columns = weights_and_columns(x)
    layer = RidgePool(0.3, 0.2).double()
    inputs = [part.requires_grad_() for part in (x.feats.clone(), weights, columns)]

    def pool(feats, weights, columns, *_):
        return layer(x.with_feats(feats), weights, columns)

    assert torch.autograd.gradcheck(pool, (*inputs, *layer.parameters()))


def test_the_settings_are_learned_as_logarithms():
    state = RidgePool(0.5, 2.0).state_dict()
    assert state.keys() == {"log_unobserved_weight", "log_regularisation"}
    assert state["log_unobserved_weight"].exp().item() == pytest.approx(0.5)
    assert state["log_regularisation"].exp().item() == pytest.approx(2)


@pytest.mark.parametrize("settings", [(0.0, 1.0), (1.0, -0.1), (float("nan"), 1.0)])
def test_settings_without_a_logarithm_are_refused(settings):
    with pytest.raises(InputError, match="regularisation must be positive, but got"):
        RidgePool(*settings)


@pytest.mark.parametrize(("shape", "batch_size"), [((2, 2), 2), ((2,), 1), ((2, 2, 2), 1)])
def test_several_samples_or_other_than_two_axes_are_refused(shape, batch_size):
    x = random_tensor(shape, batch_size)
    expected = f"one sample of two axes, but got {batch_size} samples of {len(shape)} axes"
    with pytest.raises(InputError, match=expected):
        RidgePool(1.0, 1.0)(x, x.feats[:, 0], torch.ones(2, 1))


def test_another_number_of_columns_is_refused():
    x = random_tensor((2, 3))
    with pytest.raises(InputError, match="one row for each column of the grid, but got 2 for 3"):
        RidgePool(1.0, 1.0)(x, x.feats[:, 0], torch.ones(2, 1))
