"""ListContext: what metrics may know of the items of a catalogue besides lists and targets."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from recsparse.config.metric_names import BY_CATEGORIES, BY_FEATURES, BY_POPULARITY
from recsparse.errors import InputError

_SHORT_HEAD = 0.8  # of the training rows
_NEEDS = {
    "popularity": (BY_POPULARITY, "the training rows of each item"),
    "item_vectors": (
        BY_FEATURES,
        "features of items: words, categories or vectors; name columns of a table of items in "
        "text.columns, features.categories or features.vectors when the dataset is prepared",
    ),
    "item_categories": (
        BY_CATEGORIES,
        "categories of items; name columns of a table of items in features.categories when the "
        "dataset is prepared",
    ),
}


@dataclass(frozen=True, eq=False)
class ListContext:
    """What is known of items; metrics that need what is None cannot be measured.

    Attributes:
        popularity: Training rows of each item.
        item_vectors: Items × columns, by whose cosine items are alike; an empty row is of an item
            of which nothing is known.
        item_categories: Items × categories, not negative; likewise.
    """

    popularity: NDArray[np.float64] | None = None
    item_vectors: csr_matrix | None = None
    item_categories: csr_matrix | None = None

    def missing(self, metric: str) -> str:
        """Say what a metric needs that is not known.

        Args:
            metric: A name such as `ild@10`.

        Returns:
            What, and how to get it; empty where nothing is missing.
        """
        name = metric.partition("@")[0]
        for field, (metrics, what) in _NEEDS.items():
            if name in metrics and getattr(self, field) is None:
                return what
        return ""

    def require(self, metric: str) -> None:
        """Check that a metric can be measured.

        Args:
            metric: A name such as `ild@10`.

        Raises:
            InputError: If what it needs is not known.
        """
        what = self.missing(metric)
        if what:
            raise InputError(f"{metric} needs {what}; or leave it out of evaluation.metrics")

    @cached_property
    def rows(self) -> NDArray[np.float64]:
        """Training rows of each item."""
        rows: NDArray[np.float64] = _known(self.popularity)
        return rows

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """Self-information of each item: −log2 of its share of the training rows."""
        total = max(float(self.rows.sum()), 1.0)
        return np.asarray(-np.log2(np.minimum(np.maximum(self.rows, 1.0) / total, 1.0)) + 0.0)

    @cached_property
    def is_tail(self) -> NDArray[np.bool_]:
        """Which items are not of the short head."""
        return tail_items(self.rows)

    @cached_property
    def unit_vectors(self) -> csr_matrix:
        """The vectors of items at length 1, float64; empty where nothing is known."""
        vectors = csr_matrix(_known(self.item_vectors), dtype=np.float64)
        return _scaled(vectors, np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()))

    @cached_property
    def category_shares(self) -> csr_matrix:
        """The categories of items, which sum to 1 for each, float64; empty where none is known."""
        categories = csr_matrix(_known(self.item_categories), dtype=np.float64)
        return _scaled(categories, np.asarray(categories.sum(axis=1)).ravel())


def tail_items(popularity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which items are of the long tail.

    Args:
        popularity: Training rows of each item.

    Returns:
        False for the fewest items that hold 80 % of all rows together (Abdollahpouri et al. 2019);
        of equally popular items, those of lower index are of the head first.

    Example:
        >>> tail_items(np.array([1.0, 8.0, 1.0])).tolist()
        [True, False, True]
    """
    order = np.argsort(-popularity, kind="stable")
    before = np.concatenate([[0.0], popularity[order].cumsum()])
    is_tail = np.empty(len(popularity), dtype=bool)
    is_tail[order] = before[:-1] >= _SHORT_HEAD * before[-1]
    return is_tail


def _known(value: Any) -> Any:
    if value is None:
        raise InputError("the context must hold what a metric reads of items, but it is None")
    return value


def _scaled(rows: csr_matrix, size: NDArray[np.float64]) -> csr_matrix:
    rows = csr_matrix(diags_array(1 / np.where(size > 0, size, 1.0)) @ rows)
    rows.eliminate_zeros()
    return rows
