"""Features inside a network: encoded, and added to the vectors of items or users."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from recsparse.errors import InputError
from recsparse.layers.text import BagOfWordsEncoder
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.sparse.tensor import SparseTensor, sparse_tensor


class ColumnEncoder(nn.Module):
    """A linear map of features, which starts from nothing.

    The vector of an id is the weighted sum of the vectors of its words and categories, plus a
    linear map of its numbers and vectors.

    Args:
        num_sparse: Columns of words and categories.
        num_dense: Columns of numbers and vectors.
        out_channels: Length of a vector.
    """

    def __init__(self, num_sparse: int, num_dense: int, out_channels: int) -> None:
        super().__init__()
        self.encoder = self.linear = None
        if num_sparse:
            self.encoder = BagOfWordsEncoder(num_sparse, out_channels, bias=False)
            nn.init.zeros_(self.encoder.weight)
        if num_dense:
            self.linear = nn.Linear(num_dense, out_channels, bias=False)
            nn.init.zeros_(self.linear.weight)
        self.out_channels = out_channels

    def encoded(
        self, bags: SparseTensor, dense: Float[Tensor, "n columns"] | None
    ) -> Float[Tensor, "n d"]:
        """Encode some ids.

        Args:
            bags: One sample per id, one axis of words and categories, one channel.
            dense: Numbers and vectors; None where there are none.

        Returns:
            One vector per id; zero for one without features.
        """
        found = bags.feats.new_zeros(bags.batch_size, self.out_channels)
        if self.encoder is not None:
            found = self.encoder(bags)
        return found if self.linear is None or dense is None else found + self.linear(dense)


class FeatureEncoder(ColumnEncoder):
    """The encoded features of every item; they are a part of the model.

    They add to item vectors that may be fitted already.

    Args:
        sparse: Items × columns: words and categories.
        dense: Items × columns: numbers and vectors.
        out_channels: Length of an item's vector.
    """

    coords: Tensor
    feats: Tensor
    shape: Tensor
    dense: Tensor

    def __init__(self, sparse: csr_matrix, dense: NDArray[np.float32], out_channels: int) -> None:
        super().__init__(sparse.shape[1], dense.shape[1], out_channels)
        cells = sparse.tocoo()
        coords = np.stack([cells.row, cells.col], axis=1).astype(np.int64)
        self.register_buffer("coords", torch.from_numpy(coords))
        self.register_buffer("feats", torch.from_numpy(cells.data.astype(np.float32))[:, None])
        self.register_buffer("shape", torch.tensor([sparse.shape[1], sparse.shape[0]]))
        if dense.shape[1]:
            self.register_buffer("dense", torch.from_numpy(dense))

    @classmethod
    def of(cls, features: Features, out_channels: int) -> "FeatureEncoder":
        """Return an encoder of all features.

        Args:
            features: Of the items.
            out_channels: Length of an item's vector.

        Returns:
            The encoder.
        """
        return cls(features.sparse(), features.dense(), out_channels)

    @classmethod
    def stored(
        cls, state: Mapping[str, Tensor], num_items: int, out_channels: int
    ) -> "FeatureEncoder | None":
        """Return an encoder of the features that a network's state holds.

        Args:
            state: The network's state dictionary, in which the encoder is called `words`.
            num_items: Number of items.
            out_channels: Length of an item's vector.

        Returns:
            The encoder, its weights yet to be loaded; None where the network has no features.

        Raises:
            InputError: If the tensors are not those of features of that many items.
        """
        if "words.shape" not in state:
            return None
        num_columns, found = stored_tensor(state, "words.shape", 2, dtype=torch.int64).tolist()
        if found != num_items:
            raise InputError(f"there must be words of {num_items} items, but they are of {found}")
        coords = stored_tensor(state, "words.coords", None, 2, dtype=torch.int64)
        feats = stored_tensor(state, "words.feats", len(coords), 1)
        # Refuses coordinates that are not within.
        words = sparse_tensor(coords, feats, (num_columns,), num_items)
        row, column = words.coords.numpy().T
        shape = (num_items, num_columns)
        sparse = csr_matrix((words.feats[:, 0].numpy(), (row, column)), shape=shape)
        dense = np.empty((num_items, 0), dtype=np.float32)
        if "words.dense" in state:
            dense = stored_tensor(state, "words.dense", num_items, None).numpy()
        return cls(sparse, dense, out_channels)

    def forward(self) -> Float[Tensor, "m d"]:
        """Encode all items.

        Returns:
            One vector per item; zero for an item without features.
        """
        num_columns, num_items = self.shape.tolist()
        cells = sparse_tensor(self.coords, self.feats, (max(num_columns, 1),), num_items)
        return self.encoded(cells, None if self.linear is None else self.dense)
