"""AxisOrder: which users and which items become neighbours on the grid.

Ids are arbitrary, so a window of neighbouring rows means something only after ordering. An order is
fitted on training rows alone and saved with the dataset.
"""

from dataclasses import dataclass

import numpy as np

from recsparse.errors import InputError


@dataclass(frozen=True, eq=False)
class AxisOrder:
    """A permutation of the rows (or columns) of a matrix.

    Attributes:
        rank: The position on the axis of each index; int64.

    Raises:
        InputError: If `rank` is not a permutation of 0 … n − 1.

    Example:
        >>> AxisOrder(np.array([2, 0, 1])).index.tolist()
        [1, 2, 0]
    """

    rank: np.ndarray

    def __post_init__(self) -> None:
        if not np.array_equal(np.sort(self.rank), np.arange(self.rank.size)):
            raise InputError(
                f"rank must hold each of 0 … {self.rank.size - 1} once, but is {self.rank}"
            )

    def __len__(self) -> int:
        return len(self.rank)

    @property
    def index(self) -> np.ndarray:
        """The index at each position of the axis, the inverse of `rank`; int64."""
        return np.argsort(self.rank)

    @classmethod
    def identity(cls, size: int) -> "AxisOrder":
        """Return the order that leaves everything in its place.

        Args:
            size: Number of rows.

        Returns:
            The order.
        """
        return cls(np.arange(size))
