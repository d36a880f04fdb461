import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recsparse import layers
from recsparse.errors import InputError
from recsparse.layers.strided import SparseConv2d
from recsparse.layers.sum_pool import (
    SparseLPPool1d,
    SparseLPPool2d,
    SparseSumPool1d,
    SparseSumPool2d,
)
from recsparse.layers.window_pool import (
    SparseAvgPool1d,
    SparseAvgPool2d,
    SparseMaxPool1d,
    SparseMaxPool2d,
)
from tests.random_grids import random_tensor, sparse_tensors

REDUCTIONS = {
    "Max": lambda rows, taps: rows.max(axis=0),
    "Avg": lambda rows, taps: rows.mean(axis=0),
    "AvgOverTaps": lambda rows, taps: rows.sum(axis=0) / taps,
    "Sum": lambda rows, taps: rows.sum(axis=0),
    "LP": lambda rows, taps: np.sqrt((rows**2).sum(axis=0)),
}


def layer_of(kind, num_axes, *window):
    name = kind.removesuffix("OverTaps")
    layer = getattr(layers, f"Sparse{name}Pool{num_axes}d")
    if kind == "LP":
        return layer(2.0, *window)
    return layer(*window, divisor="kernel") if kind == "AvgOverTaps" else layer(*window)


@st.composite
def windows(draw, num_axes):
    """Draw kernel size, stride or None, padding and dilation, each a number or one per axis."""

    def one_or_many(least, most):
        number = st.integers(least, most)
        return draw(number | st.tuples(*[number] * num_axes))

    stride = one_or_many(1, 3) if draw(st.booleans()) else None
    return one_or_many(1, 3), stride, one_or_many(0, 2), one_or_many(1, 2)


def pooled_one_by_one(x, kind, size, stride, padding, dilation):
    """Pool with a loop over all output places; return those with an active cell and their rows."""
    num_axes = len(x.spatial_shape)
    stride = size if stride is None else stride
    size, stride, padding, dilation = (
        (value,) * num_axes if isinstance(value, int) else value
        for value in (size, stride, padding, dilation)
    )
    cells = {tuple(cell): row for cell, row in zip(x.coords.tolist(), x.feats.numpy(), strict=True)}
    shape = [
        max((n + 2 * p - d * (k - 1) - 1) // s + 1, 0)
        for n, k, s, p, d in zip(x.spatial_shape, size, stride, padding, dilation, strict=True)
    ]
    coords, feats = [], []
    for place in itertools.product(range(x.batch_size), *map(range, shape)):
        rows = []
        for tap in itertools.product(*map(range, size)):
            axes = zip(place[1:], tap, stride, padding, dilation, strict=True)
            cell = (place[0], *(s * o - p + d * t for o, t, s, p, d in axes))
            if cell in cells:
                rows.append(cells[cell])
        if rows:
            coords.append(list(place))
            feats.append(REDUCTIONS[kind](np.stack(rows), np.prod(size)))
    return tuple(shape), coords, np.array(feats).reshape(len(feats), x.num_channels)


@pytest.mark.parametrize("kind", REDUCTIONS)
@settings(max_examples=20)
@given(data=st.data(), num_axes=st.integers(1, 4))
def test_each_window_is_pooled_over_its_active_cells(kind, data, num_axes):
    x = data.draw(sparse_tensors(num_axes, max_size=5 - num_axes // 2))()
    window = data.draw(windows(num_axes))
    out = layer_of(kind, num_axes, *window)(x)
    shape, coords, feats = pooled_one_by_one(x, kind, *window)
    assert (out.spatial_shape, out.batch_size) == (shape, x.batch_size)
    assert out.coords.tolist() == coords
    np.testing.assert_allclose(out.feats, feats, atol=1e-12)


DENSE = {
    "Max": lambda size, stride, padding: nn.MaxPool2d(size, stride, padding),
    "AvgOverTaps": lambda size, stride, padding: nn.AvgPool2d(size, stride, padding),
    "Avg": lambda size, stride, padding: nn.AvgPool2d(
        size, stride, padding, count_include_pad=False
    ),
}


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("window", [(2, 2, 0), (3, 2, 1), ((3, 2), (1, 2), (1, 0))])
def test_where_all_cells_are_active_results_and_gradients_are_those_of_torch(kind, window):
    x = random_tensor((6, 7), batch_size=2, channels=3, density=1.0)
    dense = x.to_dense().requires_grad_()
    expected = DENSE[kind](*window)(dense)
    feats = x.feats.clone().requires_grad_()
    out = layer_of(kind, 2, *window)(x.with_feats(feats))
    torch.testing.assert_close(out.to_dense(), expected)
    (out.to_dense() ** 2).sum().backward()
    (expected**2).sum().backward()
    torch.testing.assert_close(x.with_feats(feats.grad).to_dense(), dense.grad)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, 0.5])
def test_p_norms_are_those_of_torch_whatever_cells_are_active(norm_type):
    x = random_tensor((6, 7), batch_size=2, channels=3, density=0.3)
    x = x.with_feats(x.feats.abs())
    out = SparseLPPool2d(norm_type, 2)(x)
    torch.testing.assert_close(out.to_dense(), nn.LPPool2d(norm_type, 2)(x.to_dense()))


@pytest.mark.parametrize("kind", ["Sum", "AvgOverTaps"])
def test_sums_and_averages_over_the_kernel_equal_those_of_the_dense_tensor(kind):
    x = random_tensor((6, 7), batch_size=2, channels=3, density=0.3)
    divisor = 1 if kind == "Sum" else None
    expected = nn.AvgPool2d(3, 2, 1, divisor_override=divisor)(x.to_dense())
    torch.testing.assert_close(layer_of(kind, 2, 3, 2, 1)(x).to_dense(), expected)


def test_a_dilated_maximum_is_that_of_torch():
    x = random_tensor((9, 8), channels=2, density=1.0)
    expected = nn.MaxPool2d(3, 1, 1, dilation=2)(x.to_dense())
    torch.testing.assert_close(SparseMaxPool2d(3, 1, 1, 2)(x).to_dense(), expected)


def test_the_root_of_a_sum_of_zero_has_no_gradient_and_that_of_a_negative_one_is_nan():
    x = random_tensor((4,), density=1.0)
    feats = torch.tensor([[0.0], [0.0], [-2.0], [1.0]], requires_grad=True)
    out = SparseLPPool1d(3.0, 2)(x.with_feats(feats)).feats
    dense = nn.LPPool1d(3.0, 2)(feats.detach().T.unsqueeze(0))
    torch.testing.assert_close(out, dense[0].T, equal_nan=True)
    assert out[0].item() == 0
    assert out[1].isnan()
    out[0].backward()
    assert feats.grad[:2].tolist() == [[0.0], [0.0]]


def test_a_maximum_never_sees_an_empty_cell():
    x = random_tensor((6, 6), batch_size=2, channels=2, density=0.3)
    x = x.with_feats(-x.feats.abs() - 1)
    assert (SparseMaxPool2d(3, 1, 1)(x).feats < 0).all()


def test_the_first_of_equal_values_gets_the_gradient_as_in_torch():
    x = random_tensor((4, 4), density=1.0)
    feats = torch.ones(16, 1, dtype=torch.float64, requires_grad=True)
    SparseMaxPool2d(2)(x.with_feats(feats)).feats.sum().backward()
    dense = torch.ones(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    nn.MaxPool2d(2)(dense).sum().backward()
    assert torch.equal(feats.grad.reshape(4, 4), dense.grad[0, 0])


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("extreme", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinities_reach_the_windows_that_hold_them_and_no_others(kind, extreme):
    x = random_tensor((5, 5), channels=2, density=1.0)
    feats = x.feats.clone()
    feats[12, 0] = extreme  # the middle of the grid, in the window of the outputs (1..3, 1..3)
    out, before = (layer_of(kind, 2, 3, 1, 1)(x.with_feats(part)) for part in (feats, x.feats))
    seen = ((out.coords[:, 1:] - 2).abs() <= 1).all(dim=1)
    assert torch.equal(out.feats[:, 1], before.feats[:, 1])
    assert torch.equal(out.feats[~seen], before.feats[~seen])
    if extreme == float("-inf") and kind == "Max":
        assert out.feats[seen].isfinite().all()
    elif kind == "LP":
        assert (out.feats[seen, 0].isnan() == np.isnan(extreme)).all()
        assert not out.feats[seen, 0].isfinite().any()
    else:
        torch.testing.assert_close(
            out.feats[seen, 0], torch.full((9,), extreme).double(), equal_nan=True
        )


def test_a_window_of_minus_infinities_keeps_them():
    x = random_tensor((4,), density=1.0)
    x = x.with_feats(torch.full((4, 1), float("-inf")))
    assert SparseMaxPool1d(2)(x).feats.tolist() == [[float("-inf")], [float("-inf")]]


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("shape", [(0, 3), (5, 5)], ids=["no place", "no cell"])
def test_without_cells_the_result_is_empty_and_has_a_gradient(kind, shape):
    x = random_tensor(shape, batch_size=2, channels=3, density=0.0)
    feats = x.feats.clone().requires_grad_()
    out = layer_of(kind, 2, 2)(x.with_feats(feats))
    assert out.feats.shape == (0, 3)
    out.feats.sum().backward()
    assert feats.grad.shape == (0, 3)


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_low_precision_is_kept_and_close_to_double(kind):
    x = random_tensor((20, 20), channels=2, density=0.5)
    out = layer_of(kind, 2, 3)(x.to(torch.bfloat16))
    assert out.feats.dtype == torch.bfloat16
    exact = layer_of(kind, 2, 3)(x).feats
    torch.testing.assert_close(out.feats.double(), exact, atol=0.03, rtol=0.02)


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_one_thread_and_two_give_the_same_bits(kind):
    x = random_tensor((60, 60), batch_size=2, channels=3, dtype=torch.float32)

    def result_and_gradient():
        feats = x.feats.clone().requires_grad_()
        out = layer_of(kind, 2, 3, 2, 1)(x.with_feats(feats**2)).feats
        return out, *torch.autograd.grad(out.cos().sum(), feats)

    one, before = result_and_gradient(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = result_and_gradient()
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))


def test_pooling_and_convolution_of_one_window_share_the_output_grid():
    x = random_tensor((7, 7), channels=2)
    pooled = SparseMaxPool2d(3, 2, 1)(x)
    assert pooled.grid is SparseAvgPool2d(3, 2, 1)(x).grid
    assert pooled.grid is SparseConv2d(2, 4, 3, 2, 1).double()(x).grid


def test_the_stride_is_the_kernel_size_unless_given():
    assert SparseSumPool2d((2, 3)).kernel.stride == (2, 3)
    assert SparseSumPool2d((2, 3), 1).kernel.stride == (1, 1)


def test_the_window_is_printed():
    shown = "kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1)"
    assert repr(SparseMaxPool2d(3, 2, 1)) == f"SparseMaxPool2d({shown})"
    assert repr(SparseAvgPool2d(3, 2, 1)) == f"SparseAvgPool2d({shown}, divisor='active')"
    assert repr(SparseLPPool2d(2.0, 3, 2, 1)) == f"SparseLPPool2d(norm_type=2.0, {shown})"


def test_a_grid_of_other_axes_is_refused():
    with pytest.raises(InputError, match="2 axes of the grid, but got"):
        SparseSumPool1d(2)(random_tensor((2, 2)))


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ((0,), "kernel_size must be at least 1"),
        ((2, 0), "stride must be at least 1"),
        ((2, 1, -1), "padding must be at least 0"),
        ((2, 1, 0, 0), "dilation must be at least 1"),
        (((2, 2),), "kernel_size must have one entry for each of 1 axes"),
    ],
)
def test_a_window_that_cannot_be_is_refused(window, message):
    with pytest.raises(InputError, match=message):
        SparseAvgPool1d(*window)


def test_an_unknown_divisor_is_refused(unchecked_types):
    with pytest.raises(InputError, match="divisor must be 'active' or 'kernel', but got 'window'"):
        SparseAvgPool1d(2, divisor="window")


@pytest.mark.parametrize("norm_type", [0.0, -1.0, float("inf"), float("nan")])
def test_an_exponent_without_a_root_is_refused(norm_type):
    with pytest.raises(InputError, match="norm_type must be positive and finite, but got"):
        SparseLPPool1d(norm_type, 2)
