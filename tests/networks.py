"""A small network of every kind of convolution, for tests of torch's own machinery around it."""

from torch import nn

from recsparse.layers.activation import SparseReLU
from recsparse.layers.conv import SubmanifoldConv2d
from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.strided import SparseConv2d
from recsparse.layers.transposed import SparseConvTranspose2d, SparseInverseConv2d


class Network(nn.Module):
    """Submanifold, strided, inverse and transposed convolutions with norms between them."""

    def __init__(self):
        super().__init__()
        self.first = SubmanifoldConv2d(2, 3, 3)
        self.first_norm = SparseBatchNorm(3)
        self.down = SparseConv2d(3, 4, 3, stride=2, padding=1)
        self.down_norm = SparseBatchNorm(4)
        self.deep = SubmanifoldConv2d(4, 4, 3, dilation=2, groups=2)
        self.up = SparseInverseConv2d(4, 2, 3, stride=2, padding=1)
        self.spread = SparseConvTranspose2d(2, 2, 2, stride=2)
        self.relu = SparseReLU()

    def forward(self, x):
        fine = self.relu(self.first_norm(self.first(x)))
        coarse = self.relu(self.down_norm(self.down(fine)))
        return self.spread(self.up(self.deep(coarse), fine))
