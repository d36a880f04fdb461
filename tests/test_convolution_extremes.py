"""Convolutions in four axes, in vast grids, by vast kernels, of many rows, of no cells."""

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsparse.errors import InputError
from recsparse.layers import (
    SparseConv1d,
    SparseConv2d,
    SparseConv4d,
    SparseConvTranspose2d,
    SparseConvTranspose4d,
    SparseInverseConv4d,
    SubmanifoldConv2d,
    SubmanifoldConv3d,
    SubmanifoldConv4d,
)
from recsparse.sparse.grid import Grid
from recsparse.sparse.tensor import SparseTensor, sparse_tensor
from tests import oracles
from tests.convolutions import KINDS, kinds_of_layers, moved, moved_by
from tests.oracles import Window
from tests.random_grids import random_tensor

pytestmark = pytest.mark.usefixtures("conv_path")


@st.composite
def cases_of_four_axes(draw):
    """Draw a shape, of which axes may have no place, a window, groups and a tensor's settings."""
    four = [st.tuples(*[st.integers(low, high)] * 4) for low, high in [(0, 3), (1, 2), (0, 2)]]
    window = Window(draw(four[1]), draw(four[1]), draw(four[2]), draw(four[1]))
    return draw(four[0]), window, draw(st.integers(1, 2)), draw(st.sampled_from([0.1, 0.6]))


def numbers_of(layer):
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


@settings(max_examples=15)
@given(cases_of_four_axes())
def test_in_four_axes_cells_that_see_an_active_one_get_what_loops_give(case):
    shape, window, groups, density = case
    x = random_tensor(shape, 2, 2, density)
    options = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}
    layer = SparseConv4d(2, 2, window.size, groups=groups, **options).double()
    out = layer(x)
    coords = oracles.looped_seen_cells(x.coords, shape, 2, window)
    assert out.coords.tolist() == coords
    numbers = *numbers_of(layer), window, groups
    expected = oracles.looped_conv(x.coords, x.feats.numpy(), out.coords, *numbers)
    np.testing.assert_allclose(out.feats.detach(), expected, atol=1e-12)
    back = SparseInverseConv4d(2, 2, window.size, groups=groups, **options).double()
    coarse = out.with_feats(out.feats.detach())
    numbers = *numbers_of(back), window, groups
    expected = oracles.looped_conv_transpose(
        coarse.coords, coarse.feats.numpy(), x.coords, *numbers
    )
    np.testing.assert_allclose(back(coarse, x).feats.detach(), expected, atol=1e-12)


@settings(max_examples=15)
@given(cases_of_four_axes())
def test_in_four_axes_cells_that_are_reached_get_what_loops_give(case):
    shape, window, groups, density = case
    x = random_tensor(shape, 2, 2, density)
    options = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}
    layer = SparseConvTranspose4d(2, 2, window.size, groups=groups, **options).double()
    out = layer(x)
    assert out.coords.tolist() == oracles.looped_reached_cells(x.coords, out.spatial_shape, window)
    numbers = *numbers_of(layer), window, groups
    expected = oracles.looped_conv_transpose(x.coords, x.feats.numpy(), out.coords, *numbers)
    np.testing.assert_allclose(out.feats.detach(), expected, atol=1e-12)


@settings(max_examples=10)
@given(st.tuples(*[st.integers(0, 3)] * 4), st.sampled_from([(3, 1, 3, 1), (1, 5, 1, 3)]))
def test_in_four_axes_a_grid_of_its_own_cells_gets_what_loops_give(shape, size):
    x = random_tensor(shape, 2, 2, 0.5)
    dilation = (1, 1, 2, 1)
    layer = SubmanifoldConv4d(2, 3, size, dilation=dilation).double()
    padding = tuple(d * (k // 2) for d, k in zip(dilation, size, strict=True))
    numbers = *numbers_of(layer), Window(size, (1,) * 4, padding, dilation)
    expected = oracles.looped_conv(x.coords, x.feats.numpy(), x.coords, *numbers)
    np.testing.assert_allclose(layer(x).feats.detach(), expected, atol=1e-12)


VAST = [(2**31 - 1, 2**31 - 1), (100_000, 50_000), (2**30, 2**29), (2**40, 2**20), (2**20, 2**40)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", VAST)
def test_in_vast_grids_cells_at_both_ends_have_the_neighbours_of_a_small_grid(kind, shape):
    _, convolve = kinds_of_layers()[kind]
    if kind == "transposed" and prod(shape) * 2 * 2 >= 2**63:
        shape = shape[0] // 2, shape[1]
    near = random_tensor((5, 12), 2, 2, 0.6)
    # So far from the near edges that no window is cut off there.
    near = near.select((near.coords[:, 1:] >= torch.tensor([2, 6])).all(1))
    far = (shape[0] - 5) // 2 * 2, shape[1] - 12
    shape = far[0] + 5, far[1] + 12
    coords = torch.cat([near.coords, near.coords + torch.tensor([0, *far])])
    x = sparse_tensor(coords, torch.cat([near.feats, near.feats]), shape, 2)
    out, small = convolve(x), convolve(near)
    shift = moved_by(kind, far)
    at_far = out.coords[:, 1] >= shift[0]
    assert torch.equal(out.coords[at_far], small.coords + torch.tensor([0, *shift]))
    assert torch.equal(out.feats[at_far], small.feats)
    unmoved = convolve(moved(near, (0, 0), shape))
    assert torch.equal(out.coords[~at_far], unmoved.coords)
    assert torch.equal(out.feats[~at_far], unmoved.feats)


def test_three_long_axes_have_the_right_neighbours():
    longest = 2**21 - 1
    near = random_tensor((4, 4, 4), 1, 1, 0.5)
    layer = SubmanifoldConv3d(1, 1, 3).double()
    far = sparse_tensor(
        near.coords + torch.tensor([0, *[longest - 4] * 3]), near.feats, (longest,) * 3, 1
    )
    assert torch.equal(layer(far).feats, layer(near).feats)


def test_cells_whose_keys_agree_in_32_bits_are_no_neighbours():
    # 2^32 keys apart in rows of 50,000: (85899, 17297) has the key of (0, 1) plus 2^32.
    place = divmod(2**32 + 1, 50_000)
    coords = torch.tensor([[0, 0, 0], [0, *place]])
    x = sparse_tensor(coords, torch.tensor([[1.0], [1.0]]), (100_000, 50_000), 1)
    layer = SubmanifoldConv2d(1, 1, 3, bias=False)
    torch.nn.init.ones_(layer.weight)
    assert layer(x).feats.tolist() == [[1.0], [1.0]]


def test_an_output_with_more_cells_than_63_bits_count_is_refused():
    x = moved(random_tensor((2, 2), 1, 1, 1.0), (0, 0), (2**31 - 1, 2**31 - 1))
    with pytest.raises(InputError, match=r"must fit 63 bits, but takes 64; split axis 0"):
        SparseConvTranspose2d(1, 1, 2, stride=2).double()(x)


@given(st.tuples(st.integers(1, 3), st.integers(1, 3)), st.sampled_from([7, 9]))
def test_a_kernel_larger_than_the_grid_sees_all_of_it(shape, size):
    x = random_tensor(shape, 2, 1, 0.6)
    layer = SubmanifoldConv2d(1, 1, size, bias=False).double()
    torch.nn.init.ones_(layer.weight)
    sums = torch.stack([x.feats[x.coords[:, 0] == sample].sum(0) for sample in range(2)])
    torch.testing.assert_close(layer(x).feats, sums[x.coords[:, 0]])


def test_a_kernel_that_does_not_fit_into_the_padded_grid_leaves_no_cells():
    x = random_tensor((3, 4), 1, 1, 1.0)
    layer = SparseConv2d(1, 2, (6, 2), padding=(1, 0)).double()
    out = layer(x)
    assert (out.spatial_shape, out.feats.shape) == ((0, 3), (0, 2))
    out.feats.sum().backward()
    assert layer.weight.grad.count_nonzero() == 0


def test_dilations_paddings_and_strides_past_any_grid_are_no_error():
    x = random_tensor((4,), 1, 1, 1.0)
    layer = SparseConv1d(1, 1, 3, stride=2**40, padding=2**40, dilation=2**40).double()
    out = layer(x)
    assert (out.spatial_shape, out.coords.tolist()) == ((1,), [[0, 0]])
    torch.testing.assert_close(out.feats, x.feats[:1] * layer.weight[0, :, 1] + layer.bias)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "batch_size"), [((0, 3), 1), ((3, 0), 2), ((4, 4), 0)])
def test_a_grid_without_places_or_samples_gives_no_rows_and_zero_gradients(kind, shape, batch_size):
    layer, convolve = kinds_of_layers()[kind]
    x = random_tensor(shape, batch_size, 2)
    out = convolve(x)
    out.feats.sum().backward()
    assert out.feats.shape == (0, 4)
    assert [part.grad.count_nonzero().item() for part in layer.parameters()] == [0, 0]


def test_given_cells_without_any_active_cell_get_the_bias():
    x = random_tensor((4, 4), 1, 2, 0.0)
    layer = SparseConv2d(2, 3, 3, padding=1).double()
    cells = random_tensor((4, 4), density=0.5).grid
    out = layer(x, cells)
    assert torch.equal(out.feats, layer.bias.expand(cells.num_cells, 3))


def test_part_of_the_cells_of_a_grid_can_be_given_as_views_of_it():
    x = random_tensor((6, 6), 1, 2, 0.7)
    layer = SparseConv2d(2, 3, 3, padding=1).double()
    whole = layer(x, x.grid).feats
    for some in (slice(0, 5), slice(0, None, 2), slice(3, None)):
        part = Grid(x.coords[some], x.spatial_shape, 1)
        torch.testing.assert_close(layer(x, part).feats, whole[some])


def test_coordinates_that_are_not_contiguous_or_of_another_integer_type_are_read_right():
    x = random_tensor((6, 6), 2, 2, 0.5)
    layer = SubmanifoldConv2d(2, 3, 3).double()
    columns = x.coords.T.contiguous().T
    assert not columns.is_contiguous()
    for coords in (columns, x.coords.int(), x.coords.repeat_interleave(2, 0)[::2]):
        other = SparseTensor(Grid(coords, x.spatial_shape, 2), x.feats)
        assert torch.equal(layer(other).feats, layer(x).feats)


def test_features_that_are_not_contiguous_are_read_right():
    x = random_tensor((6, 6), 2, 4, 0.5)
    layer = SubmanifoldConv2d(4, 3, 3).double()
    columns = x.feats.T.contiguous().T
    wide = torch.cat([x.feats, x.feats], 1)[:, :4]
    for feats in (columns, wide):
        assert not feats.is_contiguous()
        assert torch.equal(layer(x.with_feats(feats)).feats, layer(x).feats)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("c_in", "c_out", "groups"),
    [
        (1, 1, 1), (3, 7, 1), (7, 1, 1), (20, 20, 1), (16, 100, 1), (33, 64, 1), (12, 20, 4),
        (40, 40, 40),
    ],
)  # fmt: skip
def test_many_rows_of_any_number_of_channels_equal_the_dense_convolution(
    c_in, c_out, groups, dtype
):
    x = random_tensor((70, 60), 1, c_in, 0.7, dtype=dtype)
    x = x.with_feats(x.feats.requires_grad_())
    layer = SubmanifoldConv2d(c_in, c_out, 3, groups=groups).to(dtype)
    window = Window((3, 3), (1, 1), (1, 1), (1, 1))
    dense = oracles.to_dense(x.coords, x.feats, x.spatial_shape, 1)
    dense = oracles.dense_conv(dense, layer.weight, layer.bias, window, groups)
    inputs = [x.feats, *layer.parameters()]
    results = []
    for out in (layer(x).feats, oracles.at_cells(dense, x.coords)):
        into = torch.arange(out.numel(), dtype=dtype).sin().add(1).reshape(out.shape)
        results.append([out, *torch.autograd.grad(out, inputs, into)])
    tolerance = 1e-4 if dtype == torch.float32 else 1e-11
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(
            ours, expected, rtol=tolerance, atol=tolerance * float(expected.detach().abs().max())
        )


@pytest.fixture
def threads():
    """Set torch's number of threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("channels", [(16, 16, 1), (20, 7, 1), (24, 24, 24)])
def test_any_number_of_threads_gives_the_same_bits(conv_path, threads, channels):
    c_in, c_out, groups = channels
    x = random_tensor((120, 100), 1, c_in, 0.9, dtype=torch.float32)
    layer = SubmanifoldConv2d(c_in, c_out, 3, groups=groups)
    results = []
    for number in (1, 2, 3, 2):
        threads(number)
        anew = SparseTensor(x.grid.select(torch.ones(len(x.feats), dtype=torch.bool)), x.feats)
        feats = anew.feats.clone().requires_grad_()
        out = layer(anew.with_feats(feats)).feats
        inputs = [feats, *layer.parameters()]
        results.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    for other in results[1:]:
        for part, first in zip(other, results[0], strict=True):
            # Torch's own products, of which the tiled path is made, may round by the threads.
            if conv_path == "native":
                assert torch.equal(part, first)
            else:
                torch.testing.assert_close(part, first, rtol=1e-4, atol=1e-2)
