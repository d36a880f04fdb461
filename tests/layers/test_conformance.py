"""Every layer of the package keeps what `recsparse.testing` asks of layers."""

import pytest
from torch import nn

from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.strided import SparseConv2d
from recsparse.layers.text import BagOfWordsEncoder
from recsparse.testing import DenseTwinConformance, LayerConformance
from tests.layer_zoo import CHANNELS, ELSEWHERE, SHAPE, VARIANTS, ZOO, make

# The encoder takes one axis and one channel; without running statistics one cell has no variance.
OTHERS = ELSEWHERE | {"BagOfWordsEncoder", "SparseBatchNorm that tracks nothing"}
NAMES = sorted((ZOO.keys() | VARIANTS.keys()) - OTHERS)


class TestEveryLayer(LayerConformance):
    channels, spatial_shape = CHANNELS, SHAPE

    @pytest.fixture(autouse=True, params=NAMES)
    def _of_the_zoo(self, request):
        self.name = request.param
        self.takes_batches = self.name != "RidgePool"

    def layer(self):
        return make(self.name).eval()


class TestBagOfWordsEncoder(DenseTwinConformance):
    channels, spatial_shape = 1, (5,)

    def layer(self):
        return BagOfWordsEncoder(5, 3)

    def dense(self, layer, x):
        return x[:, 0] @ layer.weight + layer.bias


class TestSubmanifoldConv(DenseTwinConformance):
    def layer(self):
        return SubmanifoldConv2d(2, 3, 3)

    def dense(self, layer, x):
        return nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)


class TestStridedConv(DenseTwinConformance):
    def layer(self):
        return SparseConv2d(2, 3, 2, stride=2)

    def dense(self, layer, x):
        return nn.functional.conv2d(x, layer.weight, layer.bias, stride=2)
