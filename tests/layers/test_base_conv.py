import pytest
import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.base_conv import BaseConv
from recsparse.sparse.kernel import Kernel
from tests.random_grids import random_tensor


class TransposedConv(BaseConv):
    transposed = True


KERNEL = Kernel((3, 2), (2, 1), (1, 0), (1, 2))


@pytest.mark.parametrize(
    ("layer", "twin"), [(BaseConv, nn.Conv2d), (TransposedConv, nn.ConvTranspose2d)]
)
@pytest.mark.parametrize("bias", [True, False])
def test_parameters_have_the_shapes_and_the_numbers_of_torch(layer, twin, bias):
    torch.manual_seed(3)
    ours = layer(4, 6, KERNEL, 2, bias)
    torch.manual_seed(3)
    dense = twin(4, 6, KERNEL.size, groups=2, bias=bias)
    assert ours.state_dict().keys() == dense.state_dict().keys()
    for name, parameter in dense.named_parameters():
        assert torch.equal(ours.get_parameter(name), parameter)
    dense.load_state_dict(ours.state_dict())


def test_drawing_anew_gives_other_numbers():
    layer = BaseConv(2, 2, KERNEL, 1, True)
    before = {name: part.clone() for name, part in layer.state_dict().items()}
    layer.reset_parameters()
    assert all(not torch.equal(before[name], part) for name, part in layer.state_dict().items())


def test_the_settings_are_those_of_the_kernel():
    layer = BaseConv(4, 6, KERNEL, 2, False)
    assert (layer.kernel_size, layer.stride) == ((3, 2), (2, 1))
    assert (layer.padding, layer.dilation) == ((1, 0), (1, 2))
    assert (layer.in_channels, layer.out_channels, layer.groups) == (4, 6, 2)
    assert layer.bias is None


@pytest.mark.parametrize(
    ("channels", "groups"), [((3, 2), 2), ((2, 3), 2), ((2, 2), 0), ((0, 2), 1), ((2, -2), 1)]
)
def test_channels_that_are_no_positive_multiples_of_the_groups_are_refused(channels, groups):
    expected = f"positive multiples of groups, but got {channels[0]}, {channels[1]} and {groups}"
    with pytest.raises(InputError, match=expected):
        BaseConv(*channels, KERNEL, groups, True)


def test_a_tensor_of_other_channels_or_axes_is_refused():
    layer = BaseConv(2, 1, KERNEL, 1, True)
    layer.check_input(random_tensor((4, 4), channels=2))
    with pytest.raises(
        InputError, match=r"BaseConv\(2, 1, .*\) needs feats of 2 channels, but got 3"
    ):
        layer.check_input(random_tensor((4, 4), channels=3))
    with pytest.raises(InputError, match="one entry for each of 3 axes of the grid"):
        layer.check_input(random_tensor((4, 4, 4), channels=2))
