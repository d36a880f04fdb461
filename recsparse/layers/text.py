"""Encoders of bags of words."""

import math
from typing import SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.sparse.bag_sum import bag_sum
from recsparse.sparse.kernel import whole_number
from recsparse.sparse.tensor import SparseTensor


class BagOfWordsEncoder(nn.Module):
    """The weighted sum of the vectors of each document's words, `out_d = sum_w x[d, w] E_w + b`.

    It is a convolution whose kernel is the whole word axis, and equals `torch.nn.EmbeddingBag` of
    the mode `sum` with weights: the averaged word vectors of fastText (Joulin et al. 2017,
    https://arxiv.org/abs/1607.01759, section 2) where a document's weights sum to 1. Forward and
    backward read and compute the words that occur; the gradient of every other word is zero.

    Shapes:
        Input (n, 1) on one axis of num_words, one sample per document; output (batch,
        out_channels).

    Args:
        num_words: Size of the vocabulary.
        out_channels: Length of the vectors.
        bias: Add a learned vector to every document.

    Example:
        >>> encoder = BagOfWordsEncoder(num_words=3, out_channels=2, bias=False)
        >>> _ = nn.init.eye_(encoder.weight)
        >>> encoder(SparseTensor.from_dense(torch.tensor([[[2.0, 0.0, 1.0]]]))).tolist()
        [[2.0, 0.0]]
    """

    def __init__(
        self, num_words: SupportsIndex, out_channels: SupportsIndex, bias: bool = True
    ) -> None:
        super().__init__()
        num_words = whole_number("num_words", num_words)
        out_channels = whole_number("out_channels", out_channels)
        self.weight = nn.Parameter(torch.empty(num_words, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw word vectors of expected length 1; the bias starts at 0."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(self.weight.shape[1]))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, words: SparseTensor) -> Float[Tensor, "b c"]:
        """Encode documents.

        Args:
            words: One sample a document, one axis of words, one channel: the word's weight.

        Returns:
            One vector a document; the bias alone (or zero) for one without words.

        Raises:
            InputError: If the tensor has another shape than that.
        """
        if words.spatial_shape != (len(self.weight),) or words.num_channels != 1:
            raise InputError(
                f"words must have one axis of {len(self.weight)} words and one channel, but got "
                f"spatial_shape {words.spatial_shape} and {words.num_channels} channels"
            )
        document, word = words.coords.T.contiguous()
        documents = bag_sum(self.weight, words.feats[:, 0], word, document, words.batch_size)
        return documents if self.bias is None else documents + self.bias

    def extra_repr(self) -> str:
        """Return the settings for `print(layer)`.

        Returns:
            Vocabulary size and channels.
        """
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, bias={self.bias is not None}"
