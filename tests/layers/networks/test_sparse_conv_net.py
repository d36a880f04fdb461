import pytest
import torch
from torch import nn

from benchmarks.digits import dense_net, digits, num_right, sparse_net, trained
from recsparse.errors import InputError
from recsparse.layers.networks.sparse_conv_net import SparseConvNet
from recsparse.sparse.tensor import SparseTensor
from tests.random_grids import random_tensor


def test_where_every_window_sees_a_pixel_the_network_equals_its_dense_twin():
    sparse, dense = sparse_net(seed=0), dense_net(seed=0)
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.1
    images[:, :, ::3, ::3] = 0  # an inactive pixel in the middle of active ones
    logits = sparse(SparseTensor.from_dense(images))
    torch.testing.assert_close(logits, dense(images))
    logits.square().sum().backward()
    dense(images).square().sum().backward()
    for name, parameter in dense.named_parameters():
        torch.testing.assert_close(sparse.get_parameter(name).grad, parameter.grad, msg=name)


def test_the_layers_are_two_convolutions_with_pooling_and_two_linear_ones():
    net = SparseConvNet(3, 10, (28, 20))
    kinds = [type(layer).__name__ for layer in net.features]
    assert kinds == 2 * ["SparseConv2d", "SparseReLU", "SparseMaxPool2d"]
    sizes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert sizes["features.0.weight"] == (32, 3, 3, 3)
    assert sizes["features.3.weight"] == (64, 32, 3, 3)
    assert sizes["classifier.1.weight"] == (128, 64 * 7 * 5)
    assert sizes["classifier.3.weight"] == (10, 128)


def test_an_image_without_pixels_is_classified_by_the_last_layers_alone():
    net = SparseConvNet(1, 10, (8, 8))
    empty = SparseTensor.from_dense(torch.zeros(2, 1, 8, 8))
    expected = net.classifier(torch.zeros(2, 64, 2, 2))
    torch.testing.assert_close(net(empty), expected)


@pytest.mark.usefixtures("unchecked_types")  # they take half of the time
def test_the_network_reads_digits_as_well_as_its_dense_twin():
    images, labels = digits()
    known, asked = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).chunk(2)
    right = {sparse_net: 0, dense_net: 0}
    for make in right:
        for seed in range(2):
            read = trained(make(seed), images[known], labels[known], rate=1e-2, epochs=8)
            right[make] += num_right(read, images[asked], labels[asked])
    accuracy = {make: number / (2 * len(asked)) for make, number in right.items()}
    assert accuracy[dense_net] > 0.96  # the twin is no straw man
    assert accuracy[sparse_net] >= accuracy[dense_net] - 0.005


@pytest.mark.parametrize("shape", [(8, 3), (8,), (8, 8, 8)])
def test_a_size_of_images_that_makes_no_network_is_refused(shape):
    with pytest.raises(InputError, match=r"a height and a width of at least 4, but got \(8"):
        SparseConvNet(1, 10, shape)


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"must be of size \(8, 8\), but got \(8, 9\)"):
        SparseConvNet(1, 10, (8, 8))(random_tensor((8, 9), dtype=torch.float32))


def test_the_network_is_differentiable_in_all_its_parameters():
    net = SparseConvNet(1, 3, (5, 6)).double()
    nn.functional.cross_entropy(
        net(random_tensor((5, 6), batch_size=4)), torch.tensor([0, 1, 2, 0])
    ).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())
