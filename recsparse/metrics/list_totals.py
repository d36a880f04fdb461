"""Figures of all lists together: how many of the items they show, and how evenly."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from recsparse.config.metric_names import COVERAGE


def exposure(recommended: NDArray[np.int64], k: int, num_items: int) -> NDArray[np.int64]:
    """Count in how many lists each item is.

    Args:
        recommended: Lists × length, item indices; -1 for no item.
        k: Length of the lists.
        num_items: Size of the catalogue.

    Returns:
        One number per item.
    """
    best = recommended[:, :k]
    return np.bincount(best[best >= 0], minlength=num_items)


def list_totals(
    name: str, recommended: NDArray[np.int64], k: int, candidates: NDArray[np.bool_]
) -> float:
    """Return one figure of all lists.

    Args:
        name: `coverage`, `user_coverage`, `gini` or `entropy`.
        recommended: Lists × length, item indices; -1 for no item.
        k: Length of the lists.
        candidates: Which items may be ranked.

    Returns:
        The figure; NaN where nothing can be ranked, and of all but the coverage where there is no
        list or nothing in any.

    Example:
        >>> list_totals("coverage", np.array([[0, 2]]), 2, np.ones(4, dtype=bool))
        0.5
    """
    shown = exposure(recommended, k, len(candidates))[candidates]
    if not len(shown):
        return float("nan")
    if name == "user_coverage":
        has_item = np.asarray((recommended[:, :k] >= 0).any(axis=1))
        return float(has_item.mean()) if len(recommended) else float("nan")
    if name != COVERAGE and not shown.any():
        return float("nan")
    return float(_OF_EXPOSURE[name](shown))


def _coverage(shown: NDArray[np.int64]) -> float:
    return np.count_nonzero(shown) / len(shown)


def _gini(shown: NDArray[np.int64]) -> float:
    """Return the Gini index: the mean difference of two items over twice the mean."""
    rising, number = np.sort(shown).astype(np.float64), len(shown)
    weight = 2 * np.arange(1, number + 1) - number - 1
    return float(weight @ rising / (number * rising.sum()))


def _entropy(shown: NDArray[np.int64]) -> float:
    share = shown[shown > 0] / shown.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0


_OF_EXPOSURE: Mapping[str, Callable[[NDArray[np.int64]], float]] = {
    "coverage": _coverage,
    "gini": _gini,
    "entropy": _entropy,
}
