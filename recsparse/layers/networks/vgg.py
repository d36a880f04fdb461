"""SparseVGG: plain stacks of convolutions and pooling over sparse grids, of one to four axes."""

from collections.abc import Sequence
from typing import SupportsIndex

from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.activation import SparseReLU
from recsparse.layers.any_axes import max_pool, submanifold_conv
from recsparse.layers.norm import SparseBatchNorm
from recsparse.layers.pool import GlobalPool
from recsparse.layers.residual import Norm
from recsparse.layers.sequential import SparseSequential
from recsparse.sparse.kernel import whole_number
from recsparse.sparse.tensor import SparseTensor

_DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_WIDEST = 8  # the widths of the paper are 64, 128, 256, 512 and 512 again


class SparseVGG(nn.Module):
    """A network of submanifold convolutions and max pooling that classifies sparse samples.

    After Simonyan and Zisserman 2015 (https://arxiv.org/abs/1409.1556, table 1), and on sparse
    grids Graham et al. 2018 (https://arxiv.org/abs/1711.10275). Each stage is a number of
    convolutions of three taps per axis, each with normalisation and ReLU, and max pooling that
    halves the axes. The widths double up to eight times the first. Instead of the paper's three
    linear layers, which take one size of image, one follows the mean over the active cells.

    Shapes:
        Input (n, in_channels) on any axes, output (batch, num_classes).

    Args:
        num_axes: Number of axes, from 1 to 4.
        in_channels: Channels of the input.
        num_classes: Number of outputs.
        convolutions: Number of convolutions of each stage.
        width: Width of the first stage.
        norm: Makes the normalisation of a number of channels.

    Raises:
        InputError: If there is no layer of that many axes, a stage has no convolution, or a size is
            not positive.

    Example:
        >>> import torch
        >>> net = SparseVGG(2, in_channels=3, num_classes=10, convolutions=(1, 2), width=4)
        >>> net(SparseTensor.from_dense(torch.ones(2, 3, 8, 8))).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_axes: SupportsIndex,
        in_channels: SupportsIndex,
        num_classes: SupportsIndex,
        convolutions: Sequence[SupportsIndex] = _DEPTHS[16],
        width: SupportsIndex = 64,
        norm: Norm = SparseBatchNorm,
    ) -> None:
        super().__init__()
        num_axes = whole_number("num_axes", num_axes)
        num_classes = whole_number("num_classes", num_classes)
        counts = [whole_number("convolutions", count) for count in convolutions]
        width = whole_number("width", width)
        if not counts or min(counts) < 1:
            raise InputError(
                f"convolutions must name at least one per stage, but got {convolutions}"
            )
        layers: list[nn.Module] = []
        channels = whole_number("in_channels", in_channels)
        for number, count in enumerate(counts):
            for _ in range(count):
                wider = width * min(1 << number, _WIDEST)
                layers.append(submanifold_conv(num_axes, channels, wider, 3, bias=False))
                layers += [norm(wider), SparseReLU()]
                channels = wider
            layers.append(max_pool(num_axes, 2, 2))
        self.num_stages = len(counts)
        self.layers = SparseSequential(*layers)
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
    ) -> "SparseVGG":
        """Make one of the networks of the paper's table 1.

        Args:
            depth: 11, 13, 16 or 19.
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
        return cls(num_axes, in_channels, num_classes, _DEPTHS[depth], width, norm)

    def features(self, x: SparseTensor) -> SparseTensor:
        """Return what the last stage makes of the samples.

        Args:
            x: Features (n, in_channels).

        Returns:
            Features on a grid whose axes were halved, rounded up, once per stage.
        """
        # Pooling drops the last cell of an odd axis, and all of an axis of one.
        even = x.grid.rounded_up(1 << self.num_stages)
        return self.layers(SparseTensor(even, x.feats))

    def forward(self, x: SparseTensor) -> Float[Tensor, "b classes"]:
        """Classify each sample.

        Args:
            x: Features (n, in_channels).

        Returns:
            One logit per sample and class; the bias of the last layer for a sample without cells.
        """
        logits: Tensor = self.head(self.pool(self.features(x)))
        return logits
