"""Pooling, unpooling, norms and axis convolution under torch.compile: one graph, the same numbers.

The backend `eager` sees through Python alone, which is where graphs break, and is fast.
"""

import torch
from torch import nn

from recsparse.layers.attention_pool import AttentionPool
from recsparse.layers.axis import AxisConv
from recsparse.layers.norm import SparseGroupNorm, SparseInstanceNorm
from recsparse.layers.pool import GlobalPool
from recsparse.layers.sum_pool import SparseLPPool2d, SparseSumPool2d
from recsparse.layers.unpool import SparseMaxUnpool2d, SparseUnpool2d
from recsparse.layers.window_pool import SparseAvgPool2d, SparseMaxPool2d
from tests import plain
from tests.random_grids import random_tensor


class ThereAndBack(nn.Module):
    """A pooling and an unpooling of one window."""

    def __init__(self, unpool):
        super().__init__()
        self.pool, self.unpool = SparseMaxPool2d(2), unpool

    def forward(self, x):
        return self.unpool(self.pool(x), x)


def test_compiled_layers_hold_every_check_of_this_file():
    assert plain.failures("tests.layers.test_pooling_compile") == ""


def check_that_all_of_them_make_one_graph():
    # Behind the first pooling the number of cells is known only as the code runs.
    network = nn.Sequential(
        nn.Sequential(SparseInstanceNorm(2), SparseGroupNorm(1, 2), AxisConv(2, 2, 2)),
        nn.Sequential(ThereAndBack(SparseUnpool2d(2)), ThereAndBack(SparseMaxUnpool2d(2))),
        nn.Sequential(SparseMaxPool2d(2), SparseAvgPool2d(2), SparseMaxPool2d(2, 1, 1)),
        nn.Sequential(SparseSumPool2d(2, 1, 1), SparseLPPool2d(2.0, 1)),
        nn.Sequential(AttentionPool(2, axis=1, sparse=True), GlobalPool("max")),
    )
    compiled = torch.compile(network, fullgraph=True, backend="eager", dynamic=True)
    for size in (7, 9):
        x = random_tensor((size, 6), batch_size=2, channels=2, dtype=torch.float32)
        torch.testing.assert_close(compiled(x), network(x))
