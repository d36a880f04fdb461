import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.conv import (
    SubmanifoldConv1d,
    SubmanifoldConv2d,
    SubmanifoldConv3d,
    SubmanifoldConv4d,
)
from tests.random_grids import random_tensor, sparse_tensors

LAYERS = {1: SubmanifoldConv1d, 2: SubmanifoldConv2d, 3: SubmanifoldConv3d}
DENSE_LAYERS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@st.composite
def settings_of_layers(draw, num_axes):
    groups = draw(st.integers(1, 2))
    channels = [groups * draw(st.integers(1, 2)) for _ in range(2)]
    kernel_size = draw(st.tuples(*[st.sampled_from([1, 3])] * num_axes))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * num_axes))
    return (*channels, kernel_size), {
        "dilation": dilation,
        "groups": groups,
        "bias": draw(st.booleans()),
    }


def dense_twin(layer, num_axes):
    """Return torch's own layer of the same settings and weights."""
    padding = [d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    twin = DENSE_LAYERS[num_axes](
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias is not None,
        padding=padding,
    ).double()
    layer.load_state_dict(twin.state_dict())
    return twin


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@given(data=st.data())
def test_the_layer_equals_the_dense_layer_whose_weights_it_was_given(num_axes, data):
    sizes, options = data.draw(settings_of_layers(num_axes))
    x = data.draw(sparse_tensors(num_axes, channels=sizes[0], min_size=1, max_size=4))()
    layer = LAYERS[num_axes](*sizes, **options).double()
    twin = dense_twin(layer, num_axes)
    out = layer(x)
    dense = twin(x.to_dense()).movedim(1, -1)[tuple(x.coords.T)]
    torch.testing.assert_close(out.feats, dense)
    out.feats.square().sum().backward()
    dense.square().sum().backward()
    expected = dict(twin.named_parameters())
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad)


@pytest.mark.parametrize("num_axes", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_are_drawn_as_the_dense_layer_draws_them(num_axes, bias):
    torch.manual_seed(7)
    ours = LAYERS[num_axes](4, 6, 3, groups=2, bias=bias).state_dict()
    torch.manual_seed(7)
    dense = DENSE_LAYERS[num_axes](4, 6, 3, groups=2, bias=bias).state_dict()
    assert ours.keys() == dense.keys()
    assert all(torch.equal(ours[name], dense[name]) for name in dense)


def test_one_number_serves_every_axis():
    layer = SubmanifoldConv3d(1, 1, 3, dilation=2)
    assert layer.kernel_size == (3, 3, 3)
    assert layer.dilation == (2, 2, 2)
    assert layer.weight.shape == (1, 1, 3, 3, 3)


def test_four_axes_have_a_layer_of_their_own():
    layer = SubmanifoldConv4d(2, 3, 3).double()
    assert layer.weight.shape == (3, 2, 3, 3, 3, 3)
    assert layer(random_tensor((2, 3, 2, 3), channels=2)).num_channels == 3


def test_layers_of_one_kernel_share_the_kernel_map_of_the_grid():
    x = random_tensor((4, 4), dtype=torch.float32)
    first, second = SubmanifoldConv2d(1, 3, 3), SubmanifoldConv2d(3, 2, (3, 3))
    kernel_map = x.grid.submanifold_map((3, 3), (1, 1))
    out = second(first(x))
    assert out.grid is x.grid
    assert out.num_channels == 2
    assert out.grid.submanifold_map((3, 3), (1, 1)) is kernel_map


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 1, 2), r"must be odd on each axis.* but got \(2, 2\)"),
        ((1, 1, (3, 3, 3)), r"kernel_size must have one entry .* 2 axes, but got \(3, 3, 3\)"),
        ((1, 1, 3, (1,)), r"dilation must have one entry .* 2 axes, but got \(1,\)"),
        ((1, 1, 3, 0), r"dilation must be at least 1 on each axis, but got \(0, 0\)"),
        ((3, 2, 3, 1, 2), "must be positive multiples of groups, but got 3, 2 and 2"),
        ((2, 3, 3, 1, 2), "must be positive multiples of groups, but got 2, 3 and 2"),
        ((2, 2, 3, 1, 0), "must be positive multiples of groups, but got 2, 2 and 0"),
        ((0, 2, 3), "must be positive multiples of groups, but got 0, 2 and 1"),
    ],
)
def test_settings_that_make_no_layer_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        SubmanifoldConv2d(*arguments)


def test_a_tensor_of_other_axes_or_channels_is_refused():
    layer = SubmanifoldConv2d(2, 1, 3).double()
    with pytest.raises(InputError, match="one entry for each of 3 axes"):
        layer(random_tensor((2, 2, 2), channels=2))
    expected = r"SubmanifoldConv2d\(2, 1, .*\) needs feats of 2 channels, but got 3"
    with pytest.raises(InputError, match=expected):
        layer(random_tensor((2, 2), channels=3))


def test_the_layer_says_its_settings():
    expected = "SubmanifoldConv2d(2, 4, kernel_size=(3, 5), dilation=(1, 1), groups=2, bias=False)"
    assert repr(SubmanifoldConv2d(2, 4, (3, 5), groups=2, bias=False)) == expected
