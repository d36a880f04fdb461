import pytest
import torch
from torch import nn

from recsparse.errors import InputError
from recsparse.layers.networks.vgg import SparseVGG
from recsparse.sparse.concatenate import cat
from tests.random_grids import random_tensor


def dense_vgg(net, num_axes):
    """Return the network of torch's own layers with the same weights."""
    conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[num_axes]
    norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[num_axes]
    pool = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}[num_axes]
    layers = []
    for layer in net.layers:
        if hasattr(layer, "weight") and layer.weight.ndim > 1:
            ends = layer.in_channels, layer.out_channels
            layers.append(conv(*ends, 3, padding=1, bias=False))
        elif hasattr(layer, "running_mean"):
            layers.append(norm(layer.num_features))
        else:
            layers.append(pool(2) if hasattr(layer, "kernel") else nn.ReLU())
    twin = nn.Sequential(*layers).double()
    twin.load_state_dict(net.layers.state_dict())
    return twin


@pytest.mark.parametrize("num_axes", [1, 2, 3])
def test_on_a_grid_without_empty_cells_the_network_equals_a_dense_one(num_axes):
    net = SparseVGG(num_axes, 2, 3, convolutions=(1, 2), width=2).double()
    x = random_tensor((8,) * num_axes, 2, channels=2, density=1.0)
    dense = dense_vgg(net, num_axes)(x.to_dense())
    torch.testing.assert_close(net.features(x).to_dense(), dense)
    means = dense.flatten(2).mean(2)
    torch.testing.assert_close(net(x), means @ net.head.weight.T + net.head.bias)


@pytest.mark.parametrize(
    ("depth", "known"),
    # The parameters of torchvision's networks with batch normalisation, their features alone;
    # there the convolutions have a bias.
    [(11, 9_225_984), (13, 9_410_880), (16, 14_723_136), (19, 20_035_392)],
)
def test_the_networks_of_the_paper_have_their_number_of_parameters(depth, known):
    with torch.device("meta"):
        net = SparseVGG.of_depth(depth, num_axes=2, in_channels=3, num_classes=10)
    count = sum(parameter.numel() for parameter in net.layers.parameters())
    norms = [layer for layer in net.layers if hasattr(layer, "running_mean")]
    assert count == known - sum(layer.num_features for layer in norms)
    assert len(norms) + 3 == depth  # the paper counts its three linear layers


@pytest.mark.parametrize("num_axes", [1, 2, 3, 4])
def test_axes_of_any_length_are_halved_and_rounded_up(num_axes):
    net = SparseVGG(num_axes, 2, 3, convolutions=(1, 1), width=2).double()
    shape = (1, 5, 3, 2)[:num_axes]
    x = random_tensor(shape, 2, channels=2, density=1.0)
    features = net.features(x)
    assert features.spatial_shape == (1, 2, 1, 1)[:num_axes]
    assert len(features.feats) == 2 * features.grid.keys.new_tensor((1, 2, 1, 1)[:num_axes]).prod()
    assert net(x).shape == (2, 3)


def test_samples_do_not_see_each_other_and_an_empty_one_gets_the_bias():
    net = SparseVGG(2, 2, 3, convolutions=(1, 1), width=2).double().eval()
    x, empty = random_tensor((5, 6), 1, channels=2), random_tensor((5, 6), 1, 2, density=0.0)
    both = net(cat([empty, x]))
    torch.testing.assert_close(both[1:], net(x))
    assert torch.equal(both[0], net.head.bias)
    assert torch.equal(net(empty)[0], net.head.bias)


@pytest.mark.parametrize("convolutions", [(), (2, 0)])
def test_a_stage_without_convolutions_is_refused(convolutions):
    with pytest.raises(InputError, match=r"must name at least one per stage, but got \("):
        SparseVGG(2, 1, 10, convolutions=convolutions)


def test_a_depth_that_the_paper_lacks_is_refused():
    with pytest.raises(InputError, match=r"one of \[11, 13, 16, 19\], but got 12"):
        SparseVGG.of_depth(12, 2, 1, 10)
