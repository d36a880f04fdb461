"""What is known of the ids of one axis, as models read it: named groups of columns."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.features.categories_and_numbers import CategoryFeatures, NumberFeatures
from recsparse.datasets.features.side_table import SideFeatures

WORDS, REVIEWS = "words", "reviews"
GroupKind = Literal["words", "categories", "numbers", "vectors"]


class Group(NamedTuple):
    """Some features of all ids.

    Attributes:
        name: `words` of a table's text, `reviews` of the log's, or the column.
        kind: What they are.
        values: float32, ids × columns; sparse of words and categories.
    """

    name: str
    kind: GroupKind
    values: csr_matrix | NDArray[np.float32]


def groups_of(
    side: SideFeatures, reviews: SideFeatures, ids: slice | NDArray[np.int64]
) -> list[Group]:
    """Return the features of one axis.

    Args:
        side: From a table.
        reviews: From texts of the log.
        ids: Of which ids.

    Returns:
        The groups: words, reviews, then one for each column of categories, numbers and vectors. Of
        a column that is read as two kinds, the second is called `column as numbers` or so.
    """
    texts = ((WORDS, side.bags), (REVIEWS, reviews.bags))
    groups = [Group(name, "words", bags[ids]) for name, bags in texts if bags is not None]
    columns = [] if side.categories is None else [*_categories(side.categories)]
    columns += [] if side.numbers is None else [*_numbers(side.numbers)]
    if side.vectors is not None:
        parts = np.split(side.vectors.values, np.cumsum(side.vectors.sizes)[:-1], axis=1)
        named = zip(side.vectors.names, parts, strict=True)
        columns += [Group(name, "vectors", values) for name, values in named]
    for group in columns:
        is_taken = any(group.name == other.name for other in groups)
        name = f"{group.name} as {group.kind}" if is_taken else group.name
        groups.append(Group(name, group.kind, group.values[ids]))
    return groups


def _categories(features: CategoryFeatures) -> Iterator[Group]:
    column = np.array([name.partition("=")[0] for name in features.names], dtype=object)
    for name in dict.fromkeys(column.tolist()):
        yield Group(name, "categories", features.cells[:, np.flatnonzero(column == name)])


def _numbers(features: NumberFeatures) -> Iterator[Group]:
    columns = features.columns
    for place, name in enumerate(columns):
        gap = f"{name} is missing"
        also = [features.names.index(gap, len(columns))] if gap in features.names else []
        yield Group(name, "numbers", features.values[:, [place, *also]])
