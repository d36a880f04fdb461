"""Item text inside a network: bags of words that are encoded and added to the item vectors."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.text import BagOfWordsEncoder
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.sparse.tensor import SparseTensor, sparse_tensor


class ItemWords(nn.Module):
    """The encoded text of every item; its bag of words is a part of the model.

    Args:
        words: One sample per item; coordinates are word indices, the one channel is the weight.
        out_channels: Length of an item's vector.
    """

    coords: Tensor
    feats: Tensor
    shape: Tensor

    def __init__(self, words: SparseTensor, out_channels: int) -> None:
        super().__init__()
        num_words = words.spatial_shape[0]
        self.register_buffer("coords", words.coords)
        self.register_buffer("feats", words.feats)
        self.register_buffer("shape", torch.tensor([num_words, words.batch_size]))
        self.encoder = BagOfWordsEncoder(num_words, out_channels, bias=False)
        # The text adds to vectors that may be fitted already, so it starts from nothing.
        nn.init.zeros_(self.encoder.weight)

    def forward(self) -> Float[Tensor, "m d"]:
        """Encode all items.

        Returns:
            One vector per item; zero for an item without words.
        """
        num_words, num_items = self.shape.tolist()
        words = sparse_tensor(self.coords, self.feats, (num_words,), num_items)
        encoded: Tensor = self.encoder(words)
        return encoded


def stored_words(state: Mapping[str, Tensor], num_items: int) -> SparseTensor | None:
    """Read the items' bags of words back from a network's state.

    Args:
        state: The network's state dictionary.
        num_items: Number of items.

    Returns:
        One sample per item, or None where the network has no text.

    Raises:
        InputError: If the tensors do not make one bag per item.
    """
    if "words.shape" not in state:
        return None
    num_words, found = stored_tensor(state, "words.shape", 2, dtype=torch.int64).tolist()
    if found != num_items:
        raise InputError(f"there must be words of {num_items} items, but they are of {found}")
    coords = stored_tensor(state, "words.coords", None, 2, dtype=torch.int64)
    feats = stored_tensor(state, "words.feats", len(coords), 1)
    return sparse_tensor(coords, feats, (num_words,), num_items)
