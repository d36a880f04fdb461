"""Every layer of the package over two axes and four channels, as a module of one sparse tensor."""

import torch
from torch import nn

from recsparse import layers
from tests.random_grids import random_tensor

CHANNELS = 4
SHAPE = (8, 6)
WINDOW = {"kernel_size": 3, "stride": 2, "padding": 1}


class _Back(nn.Module):
    """A layer to a coarser grid and one back."""

    def __init__(self, down, up):
        super().__init__()
        self.down, self.up = down, up

    def forward(self, x):
        return self.up(self.down(x), x)


class _Ridge(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.pool = layers.RidgePool(0.3, 0.3)
        self.columns = nn.Parameter(torch.randn(shape[1], CHANNELS))

    def forward(self, x):
        return self.pool(x, x.feats[:, 0].square() + 0.1, self.columns)


class _Words(nn.Module):
    """The encoder of bags of words takes one axis and one channel; the weights are learned."""

    def __init__(self, shape):
        super().__init__()
        self.encoder = layers.BagOfWordsEncoder(shape[1], 3)
        self.words = random_tensor(shape[1:], 2, 1, dtype=torch.float32)

    def forward(self, x):
        words = self.words.to(x.feats.device)
        return self.encoder(words.with_feats(words.feats.to(x.feats.dtype)))


def _table(shape):
    place = torch.arange(shape[1])
    return torch.stack([place, place.flip(0), place - 1], dim=1)


ZOO = {
    "SubmanifoldConv2d": lambda shape: layers.SubmanifoldConv2d(CHANNELS, 6, 3, dilation=2),
    "SubmanifoldConv2d in groups": lambda shape: layers.SubmanifoldConv2d(CHANNELS, 6, 3, groups=2),
    "SubmanifoldConv2d by channel": lambda shape: layers.SubmanifoldConv2d(
        CHANNELS, 4, 3, groups=4
    ),
    "SparseConv2d": lambda shape: layers.SparseConv2d(CHANNELS, 6, **WINDOW),
    "SparseConvTranspose2d": lambda shape: layers.SparseConvTranspose2d(CHANNELS, 3, 2, stride=2),
    "SparseInverseConv2d": lambda shape: _Back(
        layers.SparseConv2d(CHANNELS, 6, **WINDOW), layers.SparseInverseConv2d(6, 3, **WINDOW)
    ),
    "CausalConv1d": lambda shape: layers.CausalConv1d(CHANNELS, 3, 3),
    "GraphTapConv": lambda shape: layers.GraphTapConv(CHANNELS, 3, _table(shape)),
    "AxisConv": lambda shape: layers.AxisConv(2, CHANNELS, 3),
    "AxisConv2d": lambda shape: layers.AxisConv2d(CHANNELS, 3),
    "SparseMaxPool2d": lambda shape: layers.SparseMaxPool2d(**WINDOW),
    "SparseAvgPool2d": lambda shape: layers.SparseAvgPool2d(**WINDOW),
    "SparseSumPool2d": lambda shape: layers.SparseSumPool2d(**WINDOW),
    "SparseLPPool2d": lambda shape: layers.SparseLPPool2d(2.0, **WINDOW),
    "SparseUnpool2d": lambda shape: _Back(layers.SparseAvgPool2d(2), layers.SparseUnpool2d(2)),
    "SparseMaxUnpool2d": lambda shape: _Back(
        layers.SparseMaxPool2d(2), layers.SparseMaxUnpool2d(2)
    ),
    "AxisPool": lambda shape: layers.AxisPool(0, "mean"),
    "AxisPool of maxima": lambda shape: layers.AxisPool(1, "max"),
    "GlobalPool": lambda shape: layers.GlobalPool("sum"),
    "AttentionPool": lambda shape: layers.AttentionPool(CHANNELS, hidden=3),
    "RidgePool": _Ridge,
    "SparseBatchNorm": lambda shape: layers.SparseBatchNorm(CHANNELS),
    "SparseLayerNorm": lambda shape: layers.SparseLayerNorm(CHANNELS),
    "SparseGroupNorm": lambda shape: layers.SparseGroupNorm(2, CHANNELS),
    "SparseInstanceNorm": lambda shape: layers.SparseInstanceNorm(CHANNELS, affine=True),
    "SparseReLU": lambda shape: layers.SparseReLU(),
    "SparseGELU": lambda shape: layers.SparseGELU(),
    "ResidualBlock": lambda shape: layers.ResidualBlock(layers.SparseGELU()),
    "SparseSequential": lambda shape: layers.SparseSequential(layers.SparseReLU()),
    "OnFeats": lambda shape: layers.OnFeats(nn.Linear(CHANNELS, 3)),
    "CellDropout": lambda shape: layers.CellDropout(0.3, torch.Generator().manual_seed(0)),
    "SparseBasicBlock": lambda shape: layers.SparseBasicBlock(2, CHANNELS, 3, stride=2),
    "SparseBottleneck": lambda shape: layers.SparseBottleneck(2, CHANNELS, 2),
    "SparseUNet": lambda shape: layers.SparseUNet(2, CHANNELS, 3, widths=(4, 6)),
    "SparseResNet": lambda shape: layers.SparseResNet(2, CHANNELS, 3, blocks=(1, 1), width=4),
    "SparseVGG": lambda shape: layers.SparseVGG(2, CHANNELS, 3, convolutions=(1, 1), width=4),
    "BagOfWordsEncoder": _Words,
}
# Other settings of the same layers, whose sums are code of its own.
VARIANTS = {
    "SubmanifoldConv2d of odd channels": lambda shape: layers.SparseSequential(
        layers.SubmanifoldConv2d(CHANNELS, 3, 3), layers.SubmanifoldConv2d(3, 5, 3)
    ),
    "SubmanifoldConv2d of a channel": lambda shape: layers.SparseSequential(
        layers.SubmanifoldConv2d(CHANNELS, 1, 1), layers.SubmanifoldConv2d(1, 3, 5)
    ),
    "SparseConvTranspose2d that overlaps": lambda shape: layers.SparseConvTranspose2d(
        CHANNELS, 3, 3
    ),
    "SparseAvgPool2d by the kernel": lambda shape: layers.SparseAvgPool2d(
        **WINDOW, divisor="kernel"
    ),
    "SparseUnpool2d that overlaps": lambda shape: _Back(
        layers.SparseSumPool2d(3, 1, 1), layers.SparseUnpool2d(3, 1, 1)
    ),
    "SparseMaxUnpool2d that overlaps": lambda shape: _Back(
        layers.SparseMaxPool2d(3, 1, 1), layers.SparseMaxUnpool2d(3, 1, 1)
    ),
    "AxisPool of sums": lambda shape: layers.AxisPool((0, 1), "sum", sparse=False),
    "AxisPool of norms": lambda shape: layers.AxisPool(1, "lp"),
    "GlobalPool of means": lambda shape: layers.GlobalPool("mean"),
    "AttentionPool without hidden channels": lambda shape: layers.AttentionPool(CHANNELS, axis=0),
    "SparseBatchNorm of all batches": lambda shape: layers.SparseBatchNorm(CHANNELS, momentum=None),
    "SparseBatchNorm that tracks nothing": lambda shape: layers.SparseBatchNorm(
        CHANNELS, affine=False, track_running_stats=False
    ),
    "SparseSyncBatchNorm": lambda shape: layers.SparseSyncBatchNorm(CHANNELS),
    "SparseInstanceNorm that tracks": lambda shape: layers.SparseInstanceNorm(
        CHANNELS, affine=True, track_running_stats=True
    ),
}
# A layer of one process's own has no second process here; see test_distributed.py.
ELSEWHERE = {"SparseSyncBatchNorm"}


def make(name, shape=SHAPE):
    """Return the layer for tensors of a shape, with the same parameters at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return (ZOO | VARIANTS)[name](shape)


def batch(seed=0, dtype=torch.float32, shape=SHAPE):
    """Return one sample, all that `RidgePool` takes, with 4 channels."""
    return random_tensor(shape, 1, CHANNELS, 0.6, seed, dtype)


def result_and_gradients(layer, x):
    """Return the features, and the gradients of a fixed weighted sum of them."""
    feats = x.feats.detach().clone().requires_grad_()
    out = layer(x.with_feats(feats))
    out = getattr(out, "feats", out)
    # With weights that differ by row and channel, since a norm's plain sum has no gradient.
    into = torch.linspace(-1, 2, out.numel(), device=out.device).reshape(out.shape).sin()
    inputs = [feats, *layer.parameters()]
    grads = torch.autograd.grad((out.float() * into).sum(), inputs, allow_unused=True)
    return [out, *(grad for grad in grads if grad is not None)]
