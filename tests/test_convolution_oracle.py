"""Every convolution layer against dense torch and against loops, values and all gradients."""

import itertools
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse import layers
from recsparse.sparse.tensor import sparse_tensor
from tests import oracles
from tests.oracles import Window

pytestmark = pytest.mark.usefixtures("conv_path")

SHAPES = {1: (9,), 2: (6, 5), 3: (4, 3, 5)}
# (in, out, groups): dense, grouped, depthwise, depthwise with two outputs for each input.
CHANNELS = [(3, 4, 1), (4, 2, 2), (3, 3, 3), (2, 4, 2)]
ODD_SIZES = {
    1: [(1,), (3,), (5,)],
    2: [(1, 1), (3, 3), (5, 1)],
    3: [(1, 1, 1), (3, 3, 3), (1, 3, 5)],
}
SIZES = {1: [(1,), (2,), (3,)], 2: [(2, 2), (3, 3), (4, 1)], 3: [(2, 2, 2), (3, 3, 3), (2, 1, 3)]}


def layer_of(name, num_axes, channels, window, bias=True, **options):
    """Return a layer in float64 with the settings of a window, as far as it has them."""
    c_in, c_out, groups = channels
    if name != "SubmanifoldConv":
        options |= {"stride": window.stride, "padding": window.padding}
    torch.manual_seed(0)
    layer = getattr(layers, f"{name}{num_axes}d")(
        c_in, c_out, window.size, dilation=window.dilation, groups=groups, bias=bias, **options
    )
    return layer.double()


def tensor_of(shape, channels, density, batch_size=3, seed=0):
    """Return random cells with features that take gradients; of three samples one is empty."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(batch_size, *shape, generator=generator)
    drawn[1:2] = 1.0
    coords = (drawn < density).nonzero()
    feats = torch.randn(len(coords), channels, generator=generator, dtype=torch.float64)
    return sparse_tensor(coords, feats.requires_grad_(), shape, batch_size)


def dense_of(x):
    return oracles.to_dense(x.coords, x.feats, x.spatial_shape, x.batch_size)


def active(x):
    ones = torch.ones(len(x.coords), 1, dtype=torch.float64)
    return oracles.to_dense(x.coords, ones, x.spatial_shape, x.batch_size)


def assert_equal_with_gradients(ours, expected, x, layer):
    """Compare two results and their gradients at the features, the weight and the bias."""
    inputs = [x.feats, *layer.parameters()]
    into = torch.linspace(-1, 2, ours.numel(), dtype=ours.dtype).reshape(ours.shape)
    found, wanted = (
        [out, *torch.autograd.grad(out, inputs, into, allow_unused=True, materialize_grads=True)]
        for out in (ours, expected)
    )
    for part, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(part, other, atol=1e-10, rtol=1e-10)


def check_submanifold(x, channels, window, bias=True):
    layer = layer_of("SubmanifoldConv", len(window.size), channels, window, bias)
    out = layer(x)
    dense = oracles.dense_conv(dense_of(x), layer.weight, layer.bias, window, channels[2])
    assert out.grid is x.grid
    assert_equal_with_gradients(out.feats, oracles.at_cells(dense, x.coords), x, layer)


def check_strided(x, channels, window, bias=True):
    layer = layer_of("SparseConv", len(window.size), channels, window, bias)
    out = layer(x)
    dense = oracles.dense_conv(dense_of(x), layer.weight, layer.bias, window, channels[2])
    assert (out.spatial_shape, out.batch_size) == (dense.shape[2:], x.batch_size)
    assert torch.equal(out.coords, oracles.seen_cells(active(x), window))
    assert_equal_with_gradients(out.feats, oracles.at_cells(dense, out.coords), x, layer)


def check_given_cells(x, channels, window, bias=True):
    layer = layer_of("SparseConv", len(window.size), channels, window, bias)
    dense = oracles.dense_conv(dense_of(x), layer.weight, layer.bias, window, channels[2])
    shape = window.out_shape(x.spatial_shape)
    cells = tensor_of(shape, 1, 0.4, x.batch_size, seed=1).grid
    out = layer(x, cells)
    assert out.grid is cells
    assert_equal_with_gradients(out.feats, oracles.at_cells(dense, out.coords), x, layer)


def check_transposed(x, channels, window, output_padding, bias=True):
    layer = layer_of(
        "SparseConvTranspose", len(window.size), channels, window, bias,
        output_padding=output_padding,
    )  # fmt: skip
    out = layer(x)
    dense = oracles.dense_conv_transpose(
        dense_of(x), layer.weight, layer.bias, window, output_padding, channels[2]
    )
    assert (out.spatial_shape, out.batch_size) == (dense.shape[2:], x.batch_size)
    assert torch.equal(out.coords, oracles.reached_cells(active(x), window, output_padding))
    assert_equal_with_gradients(out.feats, oracles.at_cells(dense, out.coords), x, layer)


def check_inverse(like, channels, window, bias=True):
    coarse = oracles.seen_cells(active(like), window)
    generator = torch.Generator().manual_seed(2)
    feats = torch.randn(len(coarse), channels[0], generator=generator, dtype=torch.float64)
    shape = window.out_shape(like.spatial_shape)
    x = sparse_tensor(coarse, feats.requires_grad_(), shape, like.batch_size)
    layer = layer_of("SparseInverseConv", len(window.size), channels, window, bias)
    out = layer(x, like)
    settings = zip(
        like.spatial_shape, shape, window.size, window.stride, window.padding, window.dilation,
        strict=True,
    )  # fmt: skip
    # What makes the transposed output as long as the fine grid, which no window may fill wholly.
    rest = [f - ((c - 1) * s - 2 * p + d * (k - 1) + 1) for f, c, k, s, p, d in settings]
    dense = oracles.dense_conv_transpose(
        dense_of(x), layer.weight, layer.bias, window, rest, channels[2]
    )
    assert out.grid is like.grid
    assert_equal_with_gradients(out.feats, oracles.at_cells(dense, like.coords), x, layer)


COMBINATIONS = list(
    itertools.product([1, 2], [1, 2], [0, 1], CHANNELS, [0.0, 0.3, 1.0])
)  # stride, dilation, padding, channels, density


def windows(num_axes, size):
    """Return each combination of the other settings with a size."""
    for stride, dilation, padding, channels, density in COMBINATIONS:
        settings = ((number,) * num_axes for number in (stride, padding, dilation))
        window = Window(size, *settings)
        if prod(window.out_shape(SHAPES[num_axes])):
            yield window, channels, tensor_of(SHAPES[num_axes], channels[0], density)


def centred(size, dilation):
    padding = tuple(d * (k // 2) for k, d in zip(size, dilation, strict=True))
    return Window(size, (1,) * len(size), padding, dilation)


@pytest.mark.parametrize(("num_axes", "size"), [(n, size) for n in SIZES for size in SIZES[n]])
class TestEveryCombination:
    """Each test walks the product of strides, dilations, paddings, groups and densities."""

    def test_onto_the_cells_that_see_an_active_one(self, num_axes, size):
        for window, channels, x in windows(num_axes, size):
            check_strided(x, channels, window)

    def test_onto_given_cells_of_which_some_see_nothing(self, num_axes, size):
        for window, channels, x in windows(num_axes, size):
            check_given_cells(x, channels, window)

    def test_transposed(self, num_axes, size):
        for window, channels, x in windows(num_axes, size):
            most = max(window.stride[0], window.dilation[0]) - 1
            check_transposed(x, channels, window, (most,) * num_axes)

    def test_back_onto_the_finer_cells(self, num_axes, size):
        for window, channels, x in windows(num_axes, size):
            check_inverse(x, channels, window)


@pytest.mark.parametrize(
    ("num_axes", "size"), [(n, size) for n in ODD_SIZES for size in ODD_SIZES[n]]
)
def test_submanifold_in_every_combination(num_axes, size):
    for dilation, channels, density in itertools.product([1, 2, 3], CHANNELS, [0.0, 0.3, 1.0]):
        x = tensor_of(SHAPES[num_axes], channels[0], density)
        check_submanifold(x, channels, centred(size, (dilation,) * num_axes))


@st.composite
def cases(draw, most_padding=3):
    """Draw a shape, a window with its own numbers on each axis, channels, a tensor's settings."""
    num_axes = draw(st.integers(1, 3))
    each = st.integers(1, 3)
    shape = draw(st.tuples(*[st.integers(1, 7 - num_axes)] * num_axes))
    size, stride, dilation = (draw(st.tuples(*[each] * num_axes)) for _ in range(3))
    padding = draw(st.tuples(*[st.integers(0, most_padding)] * num_axes))
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    tensor = density, draw(st.integers(0, 3)), draw(st.integers(0, 99))
    channels, bias = draw(st.sampled_from(CHANNELS)), draw(st.booleans())
    return shape, Window(size, stride, padding, dilation), channels, tensor, bias


@settings(max_examples=60)
@given(cases())
def test_onto_seen_and_given_cells_with_other_numbers_on_each_axis(case):
    shape, window, channels, tensor, bias = case
    x = tensor_of(shape, channels[0], *tensor)
    check_strided(x, channels, window, bias)
    check_given_cells(x, channels, window, bias)


@settings(max_examples=40)
@given(cases(), st.data())
def test_transposed_with_other_numbers_on_each_axis(case, data):
    shape, window, channels, tensor, bias = case
    most = [max(pair) - 1 for pair in zip(window.stride, window.dilation, strict=True)]
    output_padding = data.draw(st.tuples(*[st.integers(0, number) for number in most]))
    # Torch refuses an output of no places, which a large padding leaves.
    reach = [
        (n - 1) * s + d * (k - 1)
        for n, s, d, k in zip(shape, window.stride, window.dilation, window.size, strict=True)
    ]
    padding = tuple(min(p, r // 2) for p, r in zip(window.padding, reach, strict=True))
    window = Window(window.size, window.stride, padding, window.dilation)
    x = tensor_of(shape, channels[0], *tensor)
    check_transposed(x, channels, window, output_padding, bias)


@settings(max_examples=40)
@given(cases())
def test_inverse_and_submanifold_with_other_numbers_on_each_axis(case):
    shape, window, channels, tensor, bias = case
    x = tensor_of(shape, channels[0], *tensor)
    if prod(window.out_shape(shape)):
        check_inverse(x, channels, window, bias)
    odd = tuple(2 * number - 1 for number in window.size)
    check_submanifold(x, channels, centred(odd, window.dilation), bias)
