"""Features of users inside a network: they come with each batch, and only their map is kept."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recsparse.models.content.feature_encoder import ColumnEncoder
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.stored_arrays import stored_tensor
from recsparse.sparse.tensor import SparseTensor, sparse_tensor


class UserColumns(NamedTuple):
    """The features of some users, as tensors.

    Attributes:
        bags: One sample per user, one axis of words and categories, one channel.
        dense: Numbers and vectors.
    """

    bags: SparseTensor
    dense: Float[Tensor, "b columns"]

    @classmethod
    def of(cls, users: Features) -> "UserColumns":
        """Lay features out.

        Args:
            users: Of some users.

        Returns:
            The same features.
        """
        cells = users.sparse().tocoo()
        coords = torch.from_numpy(np.stack([cells.row, cells.col], axis=1).astype(np.int64))
        feats = torch.from_numpy(cells.data)[:, None]
        bags = sparse_tensor(coords, feats, (max(cells.shape[1], 1),), users.num_ids)
        return cls(bags, torch.from_numpy(users.dense()))

    def to(self, device: torch.device) -> "UserColumns":
        """Copy them to a device.

        Args:
            device: The device.

        Returns:
            The same features there.
        """
        return UserColumns(self.bags.to(device), self.dense.to(device))


class UserEncoder(ColumnEncoder):
    """A linear map of the features of users.

    Args:
        num_sparse: Columns of words and categories.
        num_dense: Columns of numbers and vectors.
        out_channels: Length of a user's vector.
    """

    @classmethod
    def of(cls, users: Features, out_channels: int) -> "UserEncoder":
        """Return an encoder of all features.

        Args:
            users: Of any users.
            out_channels: Length of a user's vector.

        Returns:
            The encoder, untrained.
        """
        return cls(users.sparse().shape[1], users.dense().shape[1], out_channels)

    @classmethod
    def stored(cls, state: Mapping[str, Tensor], prefix: str, out_channels: int) -> "UserEncoder":
        """Return an encoder of the columns that a network's state holds.

        Args:
            state: The network's state dictionary.
            prefix: What the encoder is called in it, with a dot.
            out_channels: Length of a user's vector.

        Returns:
            The encoder, its weights yet to be loaded.

        Raises:
            InputError: If the tensors are not those of an encoder.
        """
        num_sparse = num_dense = 0
        if f"{prefix}encoder.weight" in state:
            num_sparse = len(stored_tensor(state, f"{prefix}encoder.weight", None, out_channels))
        if f"{prefix}linear.weight" in state:
            weight = stored_tensor(state, f"{prefix}linear.weight", out_channels, None)
            num_dense = weight.shape[1]
        return cls(num_sparse, num_dense, out_channels)

    def forward(self, users: UserColumns) -> Float[Tensor, "b d"]:
        """Encode some users.

        Args:
            users: Their features, of the columns of the fit.

        Returns:
            One vector per user; zero for one without features.
        """
        return self.encoded(users.bags, users.dense)
