"""UserRows: what is known of users by their rows, wherever these lie."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.matrices import wider
from recsparse.digest import digest
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.scoring.user_scores import recent_popularity, recent_weights, shares

# Users whose rows are in memory at a time where all are gone through.
_USERS_AT_ONCE = 65_536


class UserRows(ABC):
    """The rows of users, of which a few are taken into memory at a time.

    Attributes:
        shape: Number of users and of items.
        is_timed: Whether the time of each cell is known.
    """

    shape: tuple[int, int]
    is_timed: bool

    @abstractmethod
    def timed(self, user_index: NDArray[np.int64]) -> tuple[csr_matrix, csr_matrix | None]:
        """Return the rows of some users with the times of their cells.

        Args:
            user_index: Users; an unknown one, −1, has an empty row.

        Returns:
            One row a user, and the times in seconds; None where times are not known.

        Raises:
            ModelFolderError: If the rows lie in a file that is damaged.
        """

    @abstractmethod
    def has_rows(self, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of whom any cell is known.

        Args:
            user_index: Users; −1 for unknown ones.

        Returns:
            One truth a user.
        """

    @abstractmethod
    def digest(self) -> str:
        """Return what tells these rows from others."""

    @abstractmethod
    def with_items(self, num_items: int) -> "UserRows":
        """Return the same rows in a larger catalogue.

        Args:
            num_items: Its items, no fewer than there are.

        Returns:
            Rows that share their cells with these.
        """

    def vectors(
        self, model: FittedModel, user_index: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return the vectors that are stored with the rows, those that were made from them.

        Args:
            model: The model that made them.
            user_index: Users; −1 for unknown ones.

        Returns:
            Of whom there is a vector, and these vectors in the order of the users.

        Raises:
            ModelFolderError: If they lie in a file that is damaged.
        """
        return self.has_vectors(model, user_index), np.zeros((0, 0), dtype=np.float32)

    def has_vectors(self, model: FittedModel, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of whom `vectors` has one, without reading any.

        Args:
            model: The model that made them.
            user_index: Users; −1 for unknown ones.

        Returns:
            One truth a user.
        """
        return np.zeros(len(user_index), dtype=bool)

    def of(self, user_index: NDArray[np.int64]) -> csr_matrix:
        """Return the rows of some users.

        Args:
            user_index: Users; an unknown one, −1, has an empty row.

        Returns:
            One row a user.

        Raises:
            ModelFolderError: If the rows lie in a file that is damaged.
        """
        return self.timed(user_index)[0]

    def whole(self) -> tuple[csr_matrix, csr_matrix | None]:
        """Return all rows and their times, all of them in memory.

        Returns:
            Users × items; the times are None where they are not known.

        Raises:
            ModelFolderError: If the rows lie in a file that is damaged.
        """
        return self.timed(np.arange(self.shape[0]))

    def check(self) -> None:
        """Go through all rows, so that whatever is wrong with them is found.

        Raises:
            ModelFolderError: If the rows lie in a file that is damaged.
        """
        for _ in self._parts():
            pass

    def popularity(self) -> NDArray[np.float32]:
        """Return each item's share of the weight of recent rows, a few users in memory at a time.

        Returns:
            One share per item; see `recent_popularity`.
        """
        last, totals = None, np.zeros(self.shape[1])
        if self.is_timed:
            times = (when.data for _, when in self._parts() if when is not None and when.nnz)
            last = max((int(when.max()) for when in times), default=None)
        for history, when in self._parts():
            totals += recent_weights(history, when, last)
        return shares(totals)

    def _parts(self) -> Iterator[tuple[csr_matrix, csr_matrix | None]]:
        for start in range(0, self.shape[0], _USERS_AT_ONCE):
            yield self.timed(np.arange(start, min(start + _USERS_AT_ONCE, self.shape[0])))


class RowsInMemory(UserRows):
    """Rows that are all in memory.

    Args:
        history: Users × items.
        times: The time of each cell in seconds; None where times are not known.
    """

    def __init__(self, history: csr_matrix, times: csr_matrix | None = None) -> None:
        self.history, self.times = history, times
        self.shape, self.is_timed = history.shape, times is not None

    def timed(self, user_index: NDArray[np.int64]) -> tuple[csr_matrix, csr_matrix | None]:
        """Rows of the two matrices."""
        times = None if self.times is None else rows_of_users(self.times, user_index)
        return self.of(user_index), times

    def of(self, user_index: NDArray[np.int64]) -> csr_matrix:
        """Rows of the first matrix."""
        return rows_of_users(self.history, user_index)

    def has_rows(self, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Read off where the rows begin."""
        row_ptr = self.history.indptr
        return (user_index >= 0) & (row_ptr[user_index + 1] > row_ptr[user_index])

    def whole(self) -> tuple[csr_matrix, csr_matrix | None]:
        """The matrices themselves."""
        return self.history, self.times

    def popularity(self) -> NDArray[np.float32]:
        """In one go."""
        return recent_popularity(self.history, self.times)

    def digest(self) -> str:
        """Of all cells."""
        return digest(self.history, self.times)

    def with_items(self, num_items: int) -> "RowsInMemory":
        """The same arrays, of other shapes."""
        times = None if self.times is None else wider(self.times, num_items)
        return RowsInMemory(wider(self.history, num_items), times)


def rows_of_users(matrix: csr_matrix, user_index: NDArray[np.int64]) -> csr_matrix:
    """Return one row per user.

    Args:
        matrix: Users × items.
        user_index: Users; an unknown one, -1, has an empty row.

    Returns:
        The rows.
    """
    known = user_index >= 0
    if not known.any():
        return csr_matrix((len(user_index), matrix.shape[1]), dtype=matrix.dtype)
    rows = matrix[np.where(known, user_index, 0)]
    if known.all():
        return rows
    keep = np.repeat(known, np.diff(rows.indptr))
    lengths = np.where(known, np.diff(rows.indptr), 0)
    indptr = np.concatenate([[0], lengths.cumsum()])
    return csr_matrix((rows.data[keep], rows.indices[keep], indptr), shape=rows.shape)
