import pytest
import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.strided import SparseConv2d
from recsparse.layers.transposed import (
    SparseConvTranspose1d,
    SparseConvTranspose2d,
    SparseConvTranspose3d,
    SparseConvTranspose4d,
    SparseInverseConv1d,
    SparseInverseConv2d,
    SparseInverseConv3d,
    SparseInverseConv4d,
)
from tests.random_grids import random_tensor

LAYERS = {1: SparseConvTranspose1d, 2: SparseConvTranspose2d, 3: SparseConvTranspose3d}
DENSE_LAYERS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
INVERSE_LAYERS = {
    1: SparseInverseConv1d,
    2: SparseInverseConv2d,
    3: SparseInverseConv3d,
    4: SparseInverseConv4d,
}
pytestmark = pytest.mark.usefixtures("conv_path")


@pytest.mark.parametrize("num_axes", LAYERS)
def test_arguments_are_in_the_order_of_torch_and_give_its_result(num_axes):
    arguments = 4, 6, 3, 2, 1, 1, 2, False, 2
    dense = DENSE_LAYERS[num_axes](*arguments).double()
    layer = LAYERS[num_axes](*arguments).double()
    layer.load_state_dict(dense.state_dict())
    x = random_tensor((3,) * num_axes, 2, 4, 0.3)
    out = layer(x)
    expected = dense(x.to_dense())
    assert out.spatial_shape == expected.shape[2:]
    # Without a bias the dense result is zero where nothing is reached.
    torch.testing.assert_close(out.to_dense(), expected)


def test_four_axes_have_a_layer_of_their_own():
    out = SparseConvTranspose4d(1, 2, 2, stride=2).double()(random_tensor((1, 2, 1, 2), density=1))
    assert (out.spatial_shape, out.feats.shape) == ((2, 4, 2, 4), (64, 2))


def test_the_output_padding_tells_the_generated_cells_apart():
    x = random_tensor((3, 3), density=1.0)
    kernel = {"kernel_size": 2, "stride": 2}
    plain, padded = (
        SparseConvTranspose2d(1, 1, output_padding=more, **kernel).double() for more in (0, 1)
    )
    assert plain(x).spatial_shape == (6, 6)
    assert padded(x).spatial_shape == (7, 7)
    assert plain(x).grid is plain(x).grid
    # A convolution of the same kernel makes cells of its own.
    assert SparseConv2d(1, 1, 2, stride=2).double()(x).spatial_shape == (1, 1)


@pytest.mark.parametrize("num_axes", INVERSE_LAYERS)
def test_an_inverse_convolution_comes_back_to_the_cells_of_its_model(num_axes):
    like = random_tensor((4,) * num_axes, channels=1, density=0.4)
    layer = INVERSE_LAYERS[num_axes](2, 3, 2, stride=2).double()
    coarse = like.grid.conv_grid(layer.kernel)
    x = random_tensor((2,) * num_axes, channels=2, density=1.0)
    x = x.select(torch.tensor([cell in coarse.coords.tolist() for cell in x.coords.tolist()]))
    out = layer(x, like)
    assert out.grid is like.grid
    # Windows that do not overlap: each fine cell is reached by one tap of one coarse cell.
    row = {tuple(cell): number for number, cell in enumerate(x.coords.tolist())}
    for feats, (sample, *place) in zip(out.feats, like.coords.tolist(), strict=True):
        tap = tuple(at % 2 for at in place)
        above = x.feats[row[sample, *(at // 2 for at in place)]]
        expected = above @ layer.weight[(slice(None), slice(None), *tap)] + layer.bias
        torch.testing.assert_close(feats, expected)


def test_the_map_of_a_convolution_serves_its_inverse():
    like = random_tensor((6, 6), channels=2)
    down = SparseConv2d(2, 3, 3, stride=2, padding=1).double()
    up = SparseInverseConv2d(3, 2, 3, stride=2, padding=1).double()
    coarse = down(like)
    kernel_map = like.grid.map_onto(coarse.grid, down.kernel)
    up(coarse, like)
    assert like.grid.map_onto(coarse.grid, up.kernel) is kernel_map


def test_a_fine_cell_that_nothing_reaches_gets_the_bias():
    like = random_tensor((4,), density=1.0)
    layer = SparseInverseConv1d(1, 2, 1, stride=3).double()
    x = random_tensor((2,), density=1.0)
    out = layer(x, like)
    assert torch.equal(out.feats[1:3], layer.bias.expand(2, 2))
    torch.testing.assert_close(out.feats[::3], x.feats @ layer.weight[:, :, 0] + layer.bias)


@pytest.mark.parametrize(("shape", "batch_size"), [((9, 6), 1), ((6, 6), 2), ((3, 3), 1)])
def test_a_model_of_an_unrelated_grid_is_refused(shape, batch_size):
    layer = SparseInverseConv2d(1, 1, 2, stride=2).double()
    expected = r"SparseInverseConv2d\(.*\) needs as `like` the finer tensor .* unrelated Grid"
    with pytest.raises(InputError, match=expected):
        layer(random_tensor((3, 3)), random_tensor(shape, batch_size))


@pytest.mark.parametrize("layer", [SparseConvTranspose2d, SparseInverseConv2d])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, r"stride must be at least 1 on each axis, but got \(0, 0\)"),
        ({"padding": -1}, r"padding must be at least 0 on each axis, but got \(-1, -1\)"),
        ({"dilation": (1, 0)}, r"dilation must be at least 1 on each axis, but got \(1, 0\)"),
        ({"groups": 2}, "must be positive multiples of groups, but got 1, 1 and 2"),
    ],
)
def test_settings_that_make_no_layer_are_refused(layer, options, message):
    with pytest.raises(InputError, match=message):
        layer(1, 1, 3, **options)


@pytest.mark.parametrize("output_padding", [-1, 2, (0, 2)])
def test_an_output_padding_past_the_stride_and_the_dilation_is_refused(output_padding):
    """As torch refuses it: cells of the output past the last window."""
    expected = r"output_padding must be at least 0 and below the stride or the dilation .* but got"
    with pytest.raises(InputError, match=expected):
        SparseConvTranspose2d(1, 1, 3, stride=2, output_padding=output_padding)


def test_an_output_padding_for_other_axes_is_refused():
    with pytest.raises(InputError, match=r"output_padding must have one entry .* 2 axes, but got"):
        SparseConvTranspose2d(1, 1, 3, stride=2, output_padding=(1, 1, 1))


def test_a_tensor_of_other_channels_or_axes_is_refused():
    spread, inverse = SparseConvTranspose2d(2, 1, 3), SparseInverseConv2d(2, 1, 3)
    x, other = random_tensor((4, 4), channels=3), random_tensor((4, 4, 4), channels=2)
    for convolve in (spread, lambda tensor: inverse(tensor, tensor)):
        with pytest.raises(
            InputError, match=r"Conv.*2d\(2, 1, .* needs feats of 2 channels, but got 3"
        ):
            convolve(x)
        with pytest.raises(InputError, match="one entry for each of 3 axes of the grid"):
            convolve(other)
