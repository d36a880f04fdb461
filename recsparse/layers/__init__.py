"""Modules over sparse tensors."""

from recsparse.layers.axis import AxisConv2d
from recsparse.layers.blocks import (
    CellDropout,
    ResidualBlock,
    SparseGELU,
    SparseReLU,
    SparseSequential,
)
from recsparse.layers.conv import (
    SubmanifoldConv1d,
    SubmanifoldConv2d,
    SubmanifoldConv3d,
    SubmanifoldConv4d,
)
from recsparse.layers.norm import SparseBatchNorm, SparseLayerNorm
from recsparse.layers.pool import AxisPool, GlobalPool, RidgePool
from recsparse.layers.strided import SparseConv1d, SparseConv2d, SparseConv3d, SparseConv4d
from recsparse.layers.text import BagOfWordsEncoder
from recsparse.layers.transposed import (
    SparseConvTranspose1d,
    SparseConvTranspose2d,
    SparseConvTranspose3d,
    SparseConvTranspose4d,
    SparseInverseConv1d,
    SparseInverseConv2d,
    SparseInverseConv3d,
    SparseInverseConv4d,
)

__all__ = [
    "AxisConv2d",
    "AxisPool",
    "BagOfWordsEncoder",
    "CellDropout",
    "GlobalPool",
    "ResidualBlock",
    "RidgePool",
    "SparseBatchNorm",
    "SparseConv1d",
    "SparseConv2d",
    "SparseConv3d",
    "SparseConv4d",
    "SparseConvTranspose1d",
    "SparseConvTranspose2d",
    "SparseConvTranspose3d",
    "SparseConvTranspose4d",
    "SparseGELU",
    "SparseInverseConv1d",
    "SparseInverseConv2d",
    "SparseInverseConv3d",
    "SparseInverseConv4d",
    "SparseLayerNorm",
    "SparseReLU",
    "SparseSequential",
    "SubmanifoldConv1d",
    "SubmanifoldConv2d",
    "SubmanifoldConv3d",
    "SubmanifoldConv4d",
]
