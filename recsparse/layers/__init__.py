"""Modules over sparse tensors."""

from recsparse.layers.axis import AxisConv2d
from recsparse.layers.blocks import (
    CellDropout,
    ResidualBlock,
    SparseGELU,
    SparseReLU,
    SparseSequential,
)
from recsparse.layers.conv import SubmanifoldConv1d, SubmanifoldConv2d, SubmanifoldConv3d
from recsparse.layers.norm import SparseBatchNorm, SparseLayerNorm
from recsparse.layers.pool import AxisPool, GlobalPool, RidgePool
from recsparse.layers.text import BagOfWordsEncoder

__all__ = [
    "AxisConv2d",
    "AxisPool",
    "BagOfWordsEncoder",
    "CellDropout",
    "GlobalPool",
    "ResidualBlock",
    "RidgePool",
    "SparseBatchNorm",
    "SparseGELU",
    "SparseLayerNorm",
    "SparseReLU",
    "SparseSequential",
    "SubmanifoldConv1d",
    "SubmanifoldConv2d",
    "SubmanifoldConv3d",
]
