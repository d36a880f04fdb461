"""SparseConvNet: a small classifier of sparse images, the usual first network of a tutorial."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.activation import SparseReLU
from recsparse.layers.sequential import SparseSequential
from recsparse.layers.strided import SparseConv2d
from recsparse.layers.window_pool import SparseMaxPool2d
from recsparse.sparse.tensor import SparseTensor


class SparseConvNet(nn.Module):
    """Two convolutions with pooling, then two linear layers, over the active pixels alone.

    Sparse convolution to 32 channels, max pooling, sparse convolution to 64, max pooling, linear to
    128, linear to the classes, ReLU between them: LeNet (LeCun et al. 1998,
    https://doi.org/10.1109/5.726791) with the sizes of later tutorials. Convolutions have three
    taps per axis and padding 1, pools halve the axes. It differs from the dense network of the same
    weights only where a window sees no active pixel: there the dense one continues with its bias,
    and this one has nothing.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of outputs.
        spatial_shape: Height and width of the images, at least 4 each.

    Raises:
        InputError: If there are not two sizes of at least 4, or another number is not positive.

    Example:
        >>> import torch
        >>> images = torch.zeros(2, 1, 8, 8)
        >>> images[:, 0, 3, 2:5] = 1
        >>> SparseConvNet(1, 10, (8, 8))(SparseTensor.from_dense(images)).shape
        torch.Size([2, 10])
    """

    def __init__(self, in_channels: int, num_classes: int, spatial_shape: Sequence[int]) -> None:
        super().__init__()
        if len(spatial_shape) != 2 or min(spatial_shape) < 4:
            raise InputError(
                "spatial_shape must be a height and a width of at least 4, but got "
                f"{tuple(spatial_shape)}"
            )
        self.spatial_shape = tuple(spatial_shape)
        self.features = SparseSequential(
            SparseConv2d(in_channels, 32, 3, padding=1),
            SparseReLU(),
            SparseMaxPool2d(2, 2),
            SparseConv2d(32, 64, 3, padding=1),
            SparseReLU(),
            SparseMaxPool2d(2, 2),
        )
        height, width = self.spatial_shape
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * (height // 4) * (width // 4), 128),
            nn.ReLU(),
            nn.Linear(128, num_classes),
        )

    def forward(self, x: SparseTensor) -> Float[Tensor, "b classes"]:
        """Classify each image.

        Args:
            x: Features (n, in_channels) of the active pixels.

        Returns:
            One logit an image and class.

        Raises:
            InputError: If the images have another size.
        """
        if x.spatial_shape != self.spatial_shape:
            raise InputError(
                f"the images must be of size {self.spatial_shape}, but got {x.spatial_shape}"
            )
        logits: Tensor = self.classifier(self.features(x).to_dense())
        return logits
