import torch

from recsparse.layers.activation import SparseReLU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.sequential import SparseSequential
from tests.random_grids import random_tensor


def test_layers_in_sequence_are_applied_in_order():
    x = random_tensor((4, 4), channels=2)
    conv, relu = SubmanifoldConv2d(2, 3, 3).double(), SparseReLU()
    assert torch.equal(SparseSequential(conv, relu)(x).feats, relu(conv(x)).feats)
    assert not torch.equal(SparseSequential(relu, conv)(x).feats, relu(conv(x)).feats)
    assert SparseSequential()(x) is x
