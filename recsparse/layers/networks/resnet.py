"""SparseResNet: residual networks over sparse grids, of any depth and one to four axes."""

from collections.abc import Sequence
from typing import SupportsIndex

from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.activation import SparseReLU
from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.pool import GlobalPool
from recsparse.layers.residual import Norm, SparseBasicBlock, SparseBottleneck, three_taps
from recsparse.layers.sequential import SparseSequential
from recsparse.sparse.kernel import whole_number
from recsparse.sparse.tensor import SparseTensor

Block = type[SparseBasicBlock] | type[SparseBottleneck]

_DEPTHS: dict[int, tuple[Block, tuple[int, ...]]] = {
    18: (SparseBasicBlock, (2, 2, 2, 2)),
    34: (SparseBasicBlock, (3, 4, 6, 3)),
    50: (SparseBottleneck, (3, 4, 6, 3)),
    101: (SparseBottleneck, (3, 4, 23, 3)),
    152: (SparseBottleneck, (3, 8, 36, 3)),
}


class SparseResNet(nn.Module):
    """A residual network that classifies sparse samples (He et al. 2016, arXiv 1512.03385).

    A submanifold convolution, then stages of residual blocks, the mean over the active cells of
    each sample, and a linear layer. Each stage after the first halves the axes and doubles the
    width. The stem keeps the axes' size, as that for small images does (section 4.2), since sparse
    grids are seldom oversampled.

    Shapes:
        Input (n, in_channels) on any axes, output (batch, num_classes).

    Args:
        num_axes: Number of axes, from 1 to 4.
        in_channels: Channels of the input.
        num_classes: Number of outputs.
        blocks: Number of blocks of each stage.
        block: Their kind.
        width: Width of the first stage.
        norm: Makes the normalisation of a number of channels.

    Raises:
        InputError: If there is no layer of that many axes, a stage has no block, or a size is not
            positive.

    Example:
        >>> import torch
        >>> net = SparseResNet(3, in_channels=1, num_classes=10, blocks=(1, 1), width=4)
        >>> net(SparseTensor.from_dense(torch.ones(2, 1, 4, 4, 4))).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_axes: SupportsIndex,
        in_channels: SupportsIndex,
        num_classes: SupportsIndex,
        blocks: Sequence[SupportsIndex] = (2, 2, 2, 2),
        block: Block = SparseBasicBlock,
        width: SupportsIndex = 64,
        norm: Norm = SparseBatchNorm,
    ) -> None:
        super().__init__()
        num_axes = whole_number("num_axes", num_axes)
        num_classes = whole_number("num_classes", num_classes)
        counts = [whole_number("blocks", count) for count in blocks]
        width = whole_number("width", width)
        if not counts or min(counts) < 1:
            raise InputError(f"blocks must name at least one block per stage, but got {blocks}")
        self.stem = SparseSequential(
            three_taps(num_axes, in_channels, width), norm(width), SparseReLU()
        )
        stages, channels = [], width
        for number, count in enumerate(counts):
            layers = []
            for place in range(count):
                stride = 2 if number > 0 and place == 0 else 1
                layers.append(block(num_axes, channels, width << number, stride, norm))
                channels = layers[-1].out_channels
            stages.append(SparseSequential(*layers))
        self.stages = SparseSequential(*stages)
        self.pool = GlobalPool("mean")
        self.head = nn.Linear(channels, num_classes)

    @classmethod
    def of_depth(
        cls,
        depth: int,
        num_axes: int,
        in_channels: int,
        num_classes: int,
        width: int = 64,
        norm: Norm = SparseBatchNorm,
    ) -> "SparseResNet":
        """Make one of the networks of the paper's table 1.

        Args:
            depth: 18, 34, 50, 101 or 152.
            num_axes: Number of axes, from 1 to 4.
            in_channels: Channels of the input.
            num_classes: Number of outputs.
            width: Width of the first stage.
            norm: Makes the normalisation of a number of channels.

        Returns:
            The network.

        Raises:
            InputError: If there is no such depth.
        """
        if depth not in _DEPTHS:
            raise InputError(f"depth must be one of {sorted(_DEPTHS)}, but got {depth}")
        block, blocks = _DEPTHS[depth]
        return cls(num_axes, in_channels, num_classes, blocks, block, width, norm)

    def features(self, x: SparseTensor) -> SparseTensor:
        """Return what the last stage makes of the samples.

        Args:
            x: Features (n, in_channels).

        Returns:
            Features on a grid whose axes were halved, rounded up, once per stage after the first.
        """
        return self.stages(self.stem(x))

    def forward(self, x: SparseTensor) -> Float[Tensor, "b classes"]:
        """Classify each sample.

        Args:
            x: Features (n, in_channels).

        Returns:
            One logit per sample and class; the bias of the last layer for a sample without cells.
        """
        logits: Tensor = self.head(self.pool(self.features(x)))
        return logits
