"""AxisOrder: which users and which items become neighbours on the grid.

Ids are arbitrary, so a window of neighbouring rows means something only after ordering. An order is
fitted on training rows alone and saved with the dataset.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix

from recsparse.datasets.spectral import fiedler_order
from recsparse.errors import InputError

OrderKind = Literal["popularity", "spectral", "bisection", "time", "text", "random"]


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


@dataclass(frozen=True, eq=False)
class Activity:
    """What the rows of one axis did, counted while they stream by.

    Attributes:
        weight: float64, the total weight of each index.
        first_event: float64, the first time of each index in seconds, NaN where unknown.
    """

    weight: np.ndarray
    first_event: np.ndarray


def fit_order(
    kind: OrderKind, activity: Activity, matrix: Callable[[], csr_matrix], seed: int = 0
) -> AxisOrder:
    """Return an order of the rows of a matrix; transpose the matrix for an order of its columns.

    `popularity` puts the rows with the largest sum first; `time` those whose first event is the
    earliest, rows of unknown time behind them; `random` is the control of every comparison;
    `spectral` puts rows with common columns side by side, see `fiedler_order`. In every kind the
    rows without weight come last, and ties go to the lower row.

    Args:
        kind: What decides.
        activity: Of the rows.
        matrix: Gives the weights, not negative; called only by the kinds that need them.
        seed: Seed of `random`, and of the start vector of `spectral`.

    Returns:
        The order; the same for the same arguments.

    Raises:
        InputError: If a weight is negative or not finite, or `time` knows no time at all.

    Example:
        >>> activity = Activity(np.array([1.0, 0.0, 3.0]), np.full(3, np.nan))
        >>> fit_order("popularity", activity, lambda: csr_matrix((3, 1))).index.tolist()
        [2, 0, 1]
    """
    size = len(activity.weight)
    if kind == "popularity":
        index = np.argsort(-activity.weight, kind="stable")
    elif kind == "time":
        index = np.argsort(_checked_times(activity.first_event), kind="stable")
    elif kind == "random":
        index = np.random.default_rng(seed).permutation(size)
    else:
        index = fiedler_order(_checked(matrix()), seed)
    is_empty = activity.weight[index] == 0
    return AxisOrder(np.argsort(np.concatenate([index[~is_empty], index[is_empty]])))


def _checked(matrix: csr_matrix) -> csr_matrix:
    weights = csr_matrix(matrix, dtype=np.float64, copy=True)
    weights.sum_duplicates()
    wrong = ~(np.isfinite(weights.data) & (weights.data >= 0))
    if wrong.any():
        row = np.searchsorted(weights.indptr, wrong.argmax(), side="right") - 1
        raise InputError(
            f"weights must be finite and not negative, but {wrong.sum()} are not; the first is "
            f"{weights.data[wrong.argmax()]} in row {row}"
        )
    weights.eliminate_zeros()
    return weights


def _checked_times(first_event: np.ndarray) -> np.ndarray:
    if len(first_event) and np.isnan(first_event).all():
        raise InputError(
            f"an order by time needs a time for some of {len(first_event)} rows, but there is "
            "none; name the column by log.timestamp_column, or choose another order.kind"
        )
    return first_event
