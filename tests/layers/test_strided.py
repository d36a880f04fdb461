import weakref

import pytest
import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.strided import SparseConv1d, SparseConv2d, SparseConv3d, SparseConv4d
from tests.random_grids import random_tensor

LAYERS = {1: SparseConv1d, 2: SparseConv2d, 3: SparseConv3d}
DENSE_LAYERS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
pytestmark = pytest.mark.usefixtures("conv_path")


@pytest.mark.parametrize("num_axes", LAYERS)
def test_arguments_are_in_the_order_of_torch_and_give_its_result(num_axes):
    arguments = 4, 6, 2, 2, 1, 2, 2, False
    dense = DENSE_LAYERS[num_axes](*arguments).double()
    layer = LAYERS[num_axes](*arguments).double()
    layer.load_state_dict(dense.state_dict())
    x = random_tensor((6,) * num_axes, 2, 4, 0.3)
    out = layer(x)
    expected = dense(x.to_dense())
    assert out.spatial_shape == expected.shape[2:]
    torch.testing.assert_close(out.feats, expected.movedim(1, -1)[tuple(out.coords.T)])
    # Without a bias the dense result is zero where no cell is.
    torch.testing.assert_close(out.to_dense(), expected)


def test_four_axes_have_a_layer_of_their_own():
    layer = SparseConv4d(2, 3, 2, stride=2).double()
    out = layer(random_tensor((2, 4, 2, 4), channels=2, density=1.0))
    assert (out.spatial_shape, out.feats.shape) == ((1, 2, 1, 2), (4, 3))


def test_layers_of_one_kernel_share_the_output_cells_and_the_map():
    x = random_tensor((6, 6), channels=2)
    first, second = (SparseConv2d(2, 3, 2, stride=2).double() for _ in range(2))
    out, other = first(x), second(x)
    assert out.grid is other.grid
    assert out.grid is not SparseConv2d(2, 3, 2, stride=1).double()(x).grid
    kernel_map = x.grid.map_onto(out.grid, first.kernel)
    assert x.grid.map_onto(other.grid, second.kernel) is kernel_map


def test_what_is_remembered_is_freed_with_the_grids():
    x = random_tensor((6, 6), channels=2)
    layer = SparseConv2d(2, 3, 2, stride=2).double()
    cells = random_tensor((3, 3), density=1.0).grid
    out = layer(x)
    layer(x, cells)
    remembered = weakref.ref(x.grid.map_onto(cells, layer.kernel))
    assert remembered() is not None
    del cells
    assert remembered() is None
    own = weakref.ref(x.grid.map_onto(out.grid, layer.kernel))
    assert own() is not None
    del x, out
    assert own() is None


def test_candidates_are_scored_wherever_they_are():
    x = random_tensor((5, 5), 2, 2, 0.2)
    layer = SparseConv2d(2, 1, 3, padding=1).double()
    candidates = random_tensor((5, 5), 2, density=0.6, seed=1).grid
    dense = nn.functional.conv2d(x.to_dense(), layer.weight, layer.bias, padding=1)
    out = layer(x, candidates)
    assert out.grid is candidates
    torch.testing.assert_close(out.feats, dense.movedim(1, -1)[tuple(candidates.coords.T)])
    seen = {tuple(cell) for cell in layer(x).coords.tolist()}
    alone = [tuple(cell) not in seen for cell in candidates.coords.tolist()]
    assert any(alone)
    assert torch.equal(out.feats[alone], layer.bias.expand(sum(alone), 1))


@pytest.mark.parametrize(
    ("shape", "batch_size"), [((4, 4), 1), ((3, 4), 1), ((3, 3), 2), ((3, 3, 3), 1)]
)
def test_given_cells_of_another_shape_or_number_of_samples_are_refused(shape, batch_size):
    layer = SparseConv2d(2, 1, 2, stride=2).double()
    cells = random_tensor(shape, batch_size).grid
    expected = (
        r"to spatial_shape \(3, 3\) and batch_size 1, but the output cells are of an unrelated"
    )
    with pytest.raises(InputError, match=expected):
        layer(random_tensor((6, 6), channels=2), cells)


def test_given_cells_on_another_device_are_refused():
    layer = SparseConv2d(2, 1, 2, stride=2).double()
    cells = random_tensor((3, 3)).grid.to("meta")
    with pytest.raises(InputError, match="both grids must be on one device, but got cpu and meta"):
        layer(random_tensor((6, 6), channels=2), cells)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, r"stride must be at least 1 on each axis, but got \(0, 0\)"),
        ({"padding": -1}, r"padding must be at least 0 on each axis, but got \(-1, -1\)"),
        ({"dilation": (1, 0)}, r"dilation must be at least 1 on each axis, but got \(1, 0\)"),
        ({"stride": (1, 1, 1)}, "stride must have one entry for each of 2 axes"),
        ({"groups": 2}, "must be positive multiples of groups, but got 1, 1 and 2"),
    ],
)
def test_settings_that_make_no_layer_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        SparseConv2d(1, 1, 3, **options)


def test_a_tensor_of_other_channels_is_refused_by_name():
    layer = SparseConv2d(2, 1, 3, stride=2)
    expected = r"SparseConv2d\(2, 1, kernel_size=\(3, 3\), stride=\(2, 2\), .*\) needs feats of 2"
    with pytest.raises(InputError, match=expected):
        layer(random_tensor((6, 6), channels=3))


def test_the_layer_shows_what_it_was_given():
    layer = SparseConv2d(2, 4, 3, stride=2, padding=1)
    shown = (
        "kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1), groups=1, bias=True"
    )
    assert repr(layer) == f"SparseConv2d(2, 4, {shown})"
