"""Rows of which some users' are replaced: a layer over rows that are neither read nor copied."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from recsparse.digest import digest
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.scoring.user_rows import RowsInMemory, UserRows


class LaidOverRows(UserRows):
    """Rows of which some users' are replaced, and users follow who have none elsewhere.

    Args:
        below: The rows of all users but those that are replaced.
        above: The rows in their place.
        place: Of each user the row in `above`, or −1; the users of `below` come first.
    """

    def __init__(self, below: UserRows, above: RowsInMemory, place: NDArray[np.int64]) -> None:
        self.below, self.above, self.place = below, above, place
        self.shape, self.is_timed = (len(place), below.shape[1]), below.is_timed

    def split(self, user_index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Say where the rows of some users lie.

        Args:
            user_index: Users; −1 for unknown ones.

        Returns:
            The row of each user below and the one above; −1 where it is not there.
        """
        above = np.full(len(user_index), -1)
        known = user_index >= 0
        above[known] = self.place[user_index[known]]
        is_below = (above < 0) & (user_index < self.below.shape[0])
        return np.where(is_below, user_index, -1), above

    def timed(self, user_index: NDArray[np.int64]) -> tuple[csr_matrix, csr_matrix | None]:
        """Rows from above where there are any."""
        below, above = self.split(user_index)
        if (above < 0).all():
            return self.below.timed(below)
        if (below < 0).all():
            return self.above.timed(above)
        (lower, lower_times), (upper, upper_times) = (
            self.below.timed(below),
            self.above.timed(above),
        )
        history = _either(lower, upper, above >= 0)
        if lower_times is None or upper_times is None:
            return history, None
        return history, _either(lower_times, upper_times, above >= 0)

    def has_rows(self, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Asked below and above."""
        below, above = self.split(user_index)
        return self.below.has_rows(below) | self.above.has_rows(above)

    def vectors(
        self, model: FittedModel, user_index: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Those of users whose rows are not replaced."""
        below, _ = self.split(user_index)
        return self.below.vectors(model, below)

    def has_vectors(self, model: FittedModel, user_index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Those whose rows are not replaced may have one."""
        below, _ = self.split(user_index)
        return self.below.has_vectors(model, below)

    def digest(self) -> str:
        """Of both, and of who is replaced."""
        return digest(self.below.digest(), self.above.digest(), self.place)

    def with_items(self, num_items: int) -> "LaidOverRows":
        """Both in the larger catalogue."""
        above = self.above.with_items(num_items)
        return LaidOverRows(self.below.with_items(num_items), above, self.place)


def laid_over(
    below: UserRows, above: RowsInMemory, users: NDArray[np.int64], num_users: int
) -> LaidOverRows:
    """Replace the rows of some users; those of the others are neither read nor copied.

    Args:
        below: The rows as they were.
        above: The new rows.
        users: Whose they are, each once; those past the users of `below` are new.
        num_users: How many users there are then.

    Returns:
        Rows of all of them.
    """
    place = np.full(num_users, -1)
    place[users] = np.arange(len(users))
    if not isinstance(below, LaidOverRows):
        return LaidOverRows(below, above, place)
    # One layer alone, however often rows are replaced.
    kept = np.flatnonzero(below.place >= 0)
    kept = kept[place[kept] < 0]
    older, older_times = below.above.timed(below.place[kept])
    place[kept] = len(users) + np.arange(len(kept))
    history = csr_matrix(vstack([above.history, older], format="csr"))
    times = None
    if above.times is not None and older_times is not None:
        times = csr_matrix(vstack([above.times, older_times], format="csr"))
    return LaidOverRows(below.below, RowsInMemory(history, times), place)


def _either(lower: csr_matrix, upper: csr_matrix, is_upper: NDArray[np.bool_]) -> csr_matrix:
    row = np.arange(len(is_upper)) + np.where(is_upper, len(is_upper), 0)
    return csr_matrix(vstack([lower, upper], format="csr")[row])
