"""Fitting an order: by activity, by common columns, or by words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsparse.datasets.orders.axis_order import AxisOrder
from recsparse.datasets.orders.bisection import bisection_order
from recsparse.datasets.orders.nearest import nearest_rows, placed_behind
from recsparse.datasets.orders.spectral import fiedler_order
from recsparse.errors import InputError

OrderKind = Literal["popularity", "spectral", "bisection", "time", "text", "random"]


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
    kind: OrderKind,
    activity: Activity,
    matrix: Callable[[], csr_matrix],
    seed: int = 0,
    text: csr_matrix | None = None,
) -> AxisOrder:
    """Return an order of the rows of a matrix; transpose the matrix for an order of its columns.

    - `popularity`: the rows with the largest weight first.
    - `time`: those whose first event is the earliest, rows of unknown time behind them.
    - `random`: the control of every comparison.
    - `spectral`: rows with common columns side by side, see `fiedler_order`.
    - `bisection`: likewise, see `bisection_order`; it starts from the order by popularity.
    - `text`: rows with common words side by side, by the Fiedler vector of the bags; then each row
      without weight right behind the most similar one with weight, by the cosine of their bags.
      An axis that has no text is ordered by popularity.

    Rows without weight come last, but for those that `text` places. Ties go to the lower row.

    Args:
        kind: What decides.
        activity: Of the rows.
        matrix: Gives the weights, not negative; called only by `spectral` and `bisection`.
        seed: Seed of `random`, and of the start vector of `spectral` and `text`.
        text: The bag of words of each row, not negative; read only by `text`.

    Returns:
        The order; the same for the same arguments.

    Raises:
        InputError: If a weight is negative or not finite, `matrix` or `text` has another number of
            rows than `activity`, or `time` knows no time at all.

    Example:
        >>> activity = Activity(np.array([1.0, 0.0, 3.0]), np.full(3, np.nan))
        >>> fit_order("popularity", activity, lambda: csr_matrix((3, 1))).index.tolist()
        [2, 0, 1]
    """
    size = len(activity.weight)
    by_popularity = np.argsort(-activity.weight, kind="stable")
    if kind == "text" and text is not None:
        return _text_order(activity, _checked(text, size, "text"), seed)
    if kind in ("popularity", "text"):
        index = by_popularity
    elif kind == "time":
        index = np.argsort(_checked_times(activity.first_event), kind="stable")
    elif kind == "random":
        index = np.random.default_rng(seed).permutation(size)
    elif kind == "spectral":
        index = fiedler_order(_checked(matrix(), size, "matrix"), seed)
    else:
        index = bisection_order(_checked(matrix(), size, "matrix"), by_popularity)
    is_empty = activity.weight[index] == 0
    return _order_of(np.concatenate([index[~is_empty], index[is_empty]]))


def extend_order(order: AxisOrder, matrix: csr_matrix, text: csr_matrix | None = None) -> AxisOrder:
    """Return an order of more rows, in which the old ones keep their relative order.

    A new row is set right behind the old one that it is most alike by the columns they share, with
    the weights of `fiedler_order` (a popular column joins no more than a rare one) and the cosine;
    a new row that shares none, by the cosine of their texts; and one without either at the end.
    New rows that go to the same place stand there by their number.

    Args:
        order: Of the first rows.
        matrix: The weights of all rows, not negative: the old rows, then the new ones.
        text: Their bags of words, not negative.

    Returns:
        An order as long as `matrix`; the same for the same arguments.

    Raises:
        InputError: If a weight is negative or not finite, `matrix` has fewer rows than `order`, or
            `text` not as many as `matrix`.

    Example:
        >>> alike = csr_matrix([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
        >>> extend_order(AxisOrder(np.array([1, 0])), alike).index.tolist()
        [1, 2, 0, 3]
    """
    num_old, size = len(order), matrix.shape[0]
    if size < num_old:
        raise InputError(f"matrix must have at least {num_old} rows, as the order, but has {size}")
    weights = _checked(matrix, size, "matrix")
    column_sum = np.asarray(weights.sum(axis=0)).ravel()
    scaled = weights @ diags_array(1 / np.sqrt(np.where(column_sum > 0, column_sum, 1.0)))
    anchor = nearest_rows(scaled[num_old:], scaled[:num_old])
    if text is not None:
        bags, alone = _checked(text, size, "text"), anchor < 0
        anchor[alone] = nearest_rows(bags[num_old:][alone], bags[:num_old])
    return _order_of(placed_behind(order.index, np.arange(num_old, size), anchor))


def _text_order(activity: Activity, text: csr_matrix, seed: int) -> AxisOrder:
    known, new = np.flatnonzero(activity.weight > 0), np.flatnonzero(activity.weight == 0)
    bags = text[known]
    nearest = nearest_rows(text[new], bags)
    anchor = np.where(nearest >= 0, np.append(known, -1)[nearest], -1)
    return _order_of(placed_behind(known[fiedler_order(bags, seed)], new, anchor))


def _order_of(index: np.ndarray) -> AxisOrder:
    return AxisOrder(np.argsort(index))


def _checked(matrix: csr_matrix, size: int, name: str) -> csr_matrix:
    if matrix.shape[0] != size:
        raise InputError(f"{name} must have {size} rows, one each, but has {matrix.shape[0]}")
    weights = csr_matrix(matrix, dtype=np.float64, copy=True)
    weights.sum_duplicates()
    wrong = ~(np.isfinite(weights.data) & (weights.data >= 0))
    if wrong.any():
        row = np.searchsorted(weights.indptr, wrong.argmax(), side="right") - 1
        raise InputError(
            f"{name} must hold finite weights that are not negative, but {wrong.sum()} are not; "
            f"the first is {weights.data[wrong.argmax()]} in row {row}"
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
