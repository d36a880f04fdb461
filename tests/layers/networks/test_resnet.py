import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional

from recsparse.errors import InputError
from recsparse.layers.networks.resnet import SparseResNet
from recsparse.layers.norm import SparseLayerNorm
from recsparse.layers.residual import SparseBottleneck
from recsparse.sparse.concatenate import cat
from recsparse.sparse.tensor import sparse_tensor
from tests.random_grids import random_tensor

SMALL = {"blocks": (1, 2), "width": 2}


@pytest.mark.parametrize(
    ("depth", "known"),
    # The parameters of torchvision's networks; ours have 3 × 3 taps in the first layer, not 7 × 7.
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_the_networks_of_the_paper_have_their_number_of_parameters(depth, known):
    with torch.device("meta"):
        net = SparseResNet.of_depth(depth, num_axes=2, in_channels=3, num_classes=1000)
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == known - 64 * 3 * (7 * 7 - 3 * 3)


@pytest.mark.parametrize("num_axes", [1, 2, 3, 4])
def test_each_stage_after_the_first_halves_the_axes_and_doubles_the_width(num_axes):
    net = SparseResNet(num_axes, 2, 3, blocks=(1, 1, 1), width=2).double()
    x = random_tensor((5,) * num_axes, 2, channels=2)
    features = net.features(x)
    assert features.spatial_shape == (2,) * num_axes  # 5 -> 3 -> 2
    assert features.num_channels == 2 * 2 * 2
    assert net(x).shape == (2, 3)


def test_the_head_reads_the_mean_of_each_samples_cells():
    net = SparseResNet(2, 2, 3, **SMALL, block=SparseBottleneck).double().eval()
    x = random_tensor((5, 6), 3, channels=2)
    features = net.features(x)
    means = [features.feats[features.coords[:, 0] == sample].mean(0) for sample in range(3)]
    expected = torch.stack(means) @ net.head.weight.T + net.head.bias
    torch.testing.assert_close(net(x), expected)


def test_samples_do_not_see_each_other_and_an_empty_one_gets_the_bias():
    net = SparseResNet(2, 2, 3, **SMALL).double().eval()
    x, empty = random_tensor((5, 6), 1, channels=2), random_tensor((5, 6), 1, 2, density=0.0)
    both = net(cat([x, empty]))
    torch.testing.assert_close(both[:1], net(x))
    assert torch.equal(both[1], net.head.bias)
    assert torch.equal(net(empty)[0], net.head.bias)


def test_the_network_is_differentiable_in_all_its_parameters():
    net = SparseResNet(2, 2, 3, **SMALL, norm=SparseLayerNorm).double()
    net(random_tensor((5, 6), 2, channels=2)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize("blocks", [(), (2, 0)])
def test_a_stage_without_blocks_is_refused(blocks):
    with pytest.raises(InputError, match=r"at least one block per stage, but got \("):
        SparseResNet(2, 1, 10, blocks=blocks)


def test_a_depth_that_the_paper_lacks_is_refused():
    with pytest.raises(InputError, match=r"one of \[18, 34, 50, 101, 152\], but got 20"):
        SparseResNet.of_depth(20, 2, 1, 10)


def clouds(path, classes, per_class):
    """Return the voxels of some shapes of each class, two to a side in one, and their classes."""
    cells, labels = [], []
    for label, name in enumerate(classes):
        table = pq.read_table(path, filters=[("label_name", "=", name)])
        for voxels in map(torch.tensor, table["voxels"][:per_class].to_pylist()):
            place = torch.stack([voxels // 900, voxels // 30 % 30, voxels % 30], dim=1) // 2
            cells.append(functional.pad(place.unique(dim=0), (1, 0), value=len(labels)))
            labels.append(label)
    coords = torch.cat(cells)
    x = sparse_tensor(coords, torch.ones(len(coords), 1), (15, 15, 15), len(labels))
    return x, torch.tensor(labels)


def test_a_small_network_tells_unseen_beds_from_unseen_chairs(real_data):
    folder = real_data / "modelnet10-voxels30"
    x, labels = clouds(folder / "train.parquet", ("bed", "chair"), 12)
    unseen, expected = clouds(folder / "test.parquet", ("bed", "chair"), 12)
    torch.manual_seed(0)
    net = SparseResNet(3, 1, 2, blocks=(1, 1), width=8)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        functional.cross_entropy(net(x), labels).backward()
        optimizer.step()
    correct = (net.eval()(unseen).argmax(1) == expected).sum()
    # A guess gets as many of 24 right in 0.08 % of cases.
    assert correct >= 20
