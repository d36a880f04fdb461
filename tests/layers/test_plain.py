import copy
import re

import pytest
import torch
from torch import nn

from recsparse.errors import InputTypeError
from recsparse.layers.activation import SparseReLU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.dropout import Dropout
from recsparse.layers.networks.unet import SparseUNet
from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.plain import OnFeats
from recsparse.layers.pool import GlobalPool
from recsparse.layers.residual import ResidualBlock, SparseBasicBlock
from recsparse.layers.sequential import SparseSequential
from tests.random_grids import random_tensor


class Swish(nn.Module):
    """A module of rows of somebody else."""

    def forward(self, feats):
        return feats * torch.sigmoid(feats)


class Halved(nn.Module):
    def forward(self, feats):
        return feats[::2]


class Doubled(nn.Module):
    """A module of sparse tensors of somebody else."""

    def forward(self, x):
        return x.with_feats(2 * x.feats)


class MyLinear(nn.Linear):
    """A layer of torch's with something of its own."""


PLAIN = {
    "norm": lambda: nn.BatchNorm1d(4),
    "layer norm": lambda: nn.LayerNorm(4),
    "activation": nn.ReLU,
    "activation with parameters": lambda: nn.PReLU(4),
    "linear": lambda: nn.Linear(4, 3),
    "derived": lambda: MyLinear(4, 3),
    "linear of a normed weight": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
    "dropout": lambda: nn.Dropout(0.5),
    "our dropout": lambda: Dropout(0.5),
    "nothing": nn.Identity,
    "nested": lambda: nn.Sequential(nn.Linear(4, 5), nn.Sequential(nn.GELU(), nn.BatchNorm1d(5))),
    "wrapped": lambda: OnFeats(Swish()),
}


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("kind", PLAIN)
def test_layers_of_rows_act_on_the_features_as_torch_has_them(kind, train):
    x = random_tensor((5, 6), 2, 4, dtype=torch.float32)
    layer = PLAIN[kind]().train(train)
    again = copy.deepcopy(layer.module if isinstance(layer, OnFeats) else layer)
    torch.manual_seed(0)
    found = SparseSequential(layer)(x)
    torch.manual_seed(0)
    torch.testing.assert_close(found.feats, again(x.feats))
    for value, expected in zip(
        layer.state_dict().values(), again.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, expected)
    assert found.grid is x.grid


def test_a_network_of_both_kinds_trains():
    network = SparseSequential(
        SubmanifoldConv2d(2, 4, 3),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.Sequential(SubmanifoldConv2d(4, 4, 3), nn.Linear(4, 5), SparseReLU()),
        ResidualBlock(nn.Linear(5, 5), nn.ReLU()),
        GlobalPool("mean"),
        nn.Linear(5, 3),
        nn.Unflatten(1, (3, 1)),
    )
    out = network(random_tensor((5, 6), 2, 2, dtype=torch.float32))
    assert out.shape == (2, 3, 1)
    out.sum().backward()
    assert all(part.grad is not None for part in network.parameters())


def test_it_is_the_network_of_sparse_layers():
    x = random_tensor((5, 6), 2, 2, dtype=torch.float32)
    conv = SubmanifoldConv2d(2, 4, 3)
    plain = SparseSequential(conv, nn.BatchNorm1d(4), nn.ReLU())
    ours = SparseSequential(conv, SparseBatchNorm(4), SparseReLU())
    assert torch.equal(plain(x).feats, ours(x).feats)


def test_blocks_and_networks_take_norms_of_rows():
    x = random_tensor((8, 8), 1, 2, dtype=torch.float32)
    block = SparseBasicBlock(2, 2, 4, stride=2, norm=nn.BatchNorm1d)
    assert block(x).num_channels == 4
    assert SparseUNet(2, 2, 3, (4, 6), norm=nn.LayerNorm)(x).grid is x.grid


def test_modules_of_others_get_the_sparse_tensor():
    x = random_tensor((5, 6), channels=2)
    assert torch.equal(SparseSequential(Doubled(), Doubled())(x).feats, 4 * x.feats)


def test_a_module_of_others_that_takes_features_is_told_how_to_wrap_it():
    with pytest.raises(TypeError) as caught:
        SparseSequential(Swish())(random_tensor((5, 6)))
    note = r"Swish was given a sparse tensor; .*OnFeats\(Swish"
    assert re.search(note, caught.value.__notes__[0])


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Dropout2d(),
        nn.InstanceNorm1d(4), nn.Upsample(2), nn.LSTM(4, 4), nn.MultiheadAttention(4, 1),
    ],
    ids=str,
)  # fmt: skip
def test_layers_of_dense_axes_are_refused_by_their_name(layer):
    # On rows a convolution of one axis would run along the cells, and an instance norm over each.
    x = random_tensor((2, 2), channels=4, density=1.0, dtype=torch.float32)
    with pytest.raises(InputTypeError, match=rf"(?s)but got {type(layer).__name__}.* dense axes"):
        SparseSequential(layer)(x)


@pytest.mark.usefixtures("unchecked_types")
def test_rows_may_not_be_mixed_up():
    with pytest.raises(ValueError, match="feats must have one row per cell"):
        SparseSequential(OnFeats(Halved()))(random_tensor((5, 6)))


def test_a_residual_block_that_ends_in_a_dense_tensor_is_refused():
    with pytest.raises(ValueError, match="must keep grid and channels"):
        ResidualBlock(GlobalPool())(random_tensor((5, 6)))
