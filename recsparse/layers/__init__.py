"""Modules over sparse tensors."""

from recsparse.layers.activation import SparseGELU, SparseReLU
from recsparse.layers.attention_pool import AttentionPool
from recsparse.layers.axis import AxisConv, AxisConv2d
from recsparse.layers.causal import CausalConv1d
from recsparse.layers.conv import (
    SubmanifoldConv1d,
    SubmanifoldConv2d,
    SubmanifoldConv3d,
    SubmanifoldConv4d,
)
from recsparse.layers.dropout import CellDropout
from recsparse.layers.graph_tap import GraphTapConv
from recsparse.layers.networks.resnet import SparseResNet
from recsparse.layers.networks.unet import SparseUNet
from recsparse.layers.networks.vgg import SparseVGG
from recsparse.layers.norm import (
    SparseBatchNorm,
    SparseGroupNorm,
    SparseInstanceNorm,
    SparseLayerNorm,
    SparseSyncBatchNorm,
)
from recsparse.layers.plain import OnFeats
from recsparse.layers.pool import AxisPool, GlobalPool, RidgePool
from recsparse.layers.residual import ResidualBlock, SparseBasicBlock, SparseBottleneck
from recsparse.layers.sequential import SparseSequential
from recsparse.layers.strided import SparseConv1d, SparseConv2d, SparseConv3d, SparseConv4d
from recsparse.layers.sum_pool import (
    SparseLPPool1d,
    SparseLPPool2d,
    SparseLPPool3d,
    SparseLPPool4d,
    SparseSumPool1d,
    SparseSumPool2d,
    SparseSumPool3d,
    SparseSumPool4d,
)
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
from recsparse.layers.unpool import (
    SparseMaxUnpool1d,
    SparseMaxUnpool2d,
    SparseMaxUnpool3d,
    SparseMaxUnpool4d,
    SparseUnpool1d,
    SparseUnpool2d,
    SparseUnpool3d,
    SparseUnpool4d,
)
from recsparse.layers.window_pool import (
    SparseAvgPool1d,
    SparseAvgPool2d,
    SparseAvgPool3d,
    SparseAvgPool4d,
    SparseMaxPool1d,
    SparseMaxPool2d,
    SparseMaxPool3d,
    SparseMaxPool4d,
)

__all__ = [
    "AttentionPool",
    "AxisConv",
    "AxisConv2d",
    "AxisPool",
    "BagOfWordsEncoder",
    "CausalConv1d",
    "CellDropout",
    "GlobalPool",
    "GraphTapConv",
    "OnFeats",
    "ResidualBlock",
    "RidgePool",
    "SparseAvgPool1d",
    "SparseAvgPool2d",
    "SparseAvgPool3d",
    "SparseAvgPool4d",
    "SparseBasicBlock",
    "SparseBatchNorm",
    "SparseBottleneck",
    "SparseConv1d",
    "SparseConv2d",
    "SparseConv3d",
    "SparseConv4d",
    "SparseConvTranspose1d",
    "SparseConvTranspose2d",
    "SparseConvTranspose3d",
    "SparseConvTranspose4d",
    "SparseGELU",
    "SparseGroupNorm",
    "SparseInstanceNorm",
    "SparseInverseConv1d",
    "SparseInverseConv2d",
    "SparseInverseConv3d",
    "SparseInverseConv4d",
    "SparseLPPool1d",
    "SparseLPPool2d",
    "SparseLPPool3d",
    "SparseLPPool4d",
    "SparseLayerNorm",
    "SparseMaxPool1d",
    "SparseMaxPool2d",
    "SparseMaxPool3d",
    "SparseMaxPool4d",
    "SparseMaxUnpool1d",
    "SparseMaxUnpool2d",
    "SparseMaxUnpool3d",
    "SparseMaxUnpool4d",
    "SparseReLU",
    "SparseResNet",
    "SparseSequential",
    "SparseSumPool1d",
    "SparseSumPool2d",
    "SparseSumPool3d",
    "SparseSumPool4d",
    "SparseSyncBatchNorm",
    "SparseUNet",
    "SparseUnpool1d",
    "SparseUnpool2d",
    "SparseUnpool3d",
    "SparseUnpool4d",
    "SparseVGG",
    "SubmanifoldConv1d",
    "SubmanifoldConv2d",
    "SubmanifoldConv3d",
    "SubmanifoldConv4d",
]
