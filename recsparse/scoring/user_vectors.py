"""Vectors of users, each made when it is first wanted, and scores of pairs by their products."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from recsparse.files.scratch import scratch_array
from recsparse.scoring.request_columns import slices

# Pairs whose vectors are laid out at a time: few enough to stay in a processor's nearest cache.
_PAIRS_AT_ONCE = 512
# Bytes of vectors above which they lie in a file, whose pages the system may take back.
_LARGEST_IN_MEMORY = 2**28


class UserVectors:
    """The vectors of a model's users.

    Args:
        num_users: How many users there are.
        items: The vectors of the items.
        make: Makes the vectors of some users.
        at_once: How many users at a time.
    """

    def __init__(
        self,
        num_users: int,
        items: Float[Tensor, "m d"],
        make: Callable[[NDArray[np.int64]], Float[Tensor, "b d"]],
        at_once: int = 8_192,
    ) -> None:
        self.items = items.contiguous()
        self._make, self._at_once = make, at_once
        # What is not written of it takes no memory.
        self._table = np.zeros((num_users, items.shape[1]), dtype=np.float32)
        self._is_made = np.zeros(num_users, dtype=bool)

    def of(self, user_index: NDArray[np.int64]) -> Float[Tensor, "b d"]:
        """Return the vectors of some users.

        Args:
            user_index: Known users; a user may be there several times.

        Returns:
            One vector each, a copy.
        """
        self.make(user_index)
        return torch.from_numpy(self._table[user_index])

    def products(
        self, user_index: NDArray[np.int64], item_index: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the products of the vectors of pairs.

        Args:
            user_index: The user of each pair.
            item_index: The item of each pair.

        Returns:
            One number a pair.
        """
        self.make(user_index)
        items, found = self.items.numpy(), np.empty(len(user_index), dtype=np.float32)
        for rows in slices(len(found), _PAIRS_AT_ONCE):
            first, second = self._table[user_index[rows]], items[item_index[rows]]
            np.einsum("nd,nd->n", first, second, out=found[rows])
        return found

    def make(self, user_index: NDArray[np.int64]) -> None:
        """Make those vectors of some users that are not there yet.

        Args:
            user_index: Known users.
        """
        missing = np.unique(user_index[~self._is_made[user_index]])
        self._make_room(len(missing))
        for rows in slices(len(missing), self._at_once):
            some = missing[rows]
            self._table[some] = self._make(some).numpy()
            self._is_made[some] = True

    def _make_room(self, more: int) -> None:
        """Move the vectors into a file when more of them are wanted than shall be in memory."""
        wanted = (int(self._is_made.sum()) + more) * self._table[:1].nbytes
        if wanted > _LARGEST_IN_MEMORY and not isinstance(self._table, np.memmap):
            table = scratch_array(self._table.shape, np.float32)
            table[self._is_made] = self._table[self._is_made]
            self._table = table
