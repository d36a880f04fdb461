"""How popular the items are that are consumed, and those that models recommend."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.evaluation.ranking_result import RankingResult

THIRDS = ("head", "middle", "tail")
NEW = "new"


def popularity_thirds(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which third of the training rows each item belongs to, the most popular first.

    Items go in order of falling training rows, equal ones in that of the catalogue; an item belongs
    to the third that holds the middle of its rows in that order.

    Args:
        rows: Training rows of each item.

    Returns:
        0, 1 or 2 for head, middle and tail; 3 for items without rows.

    Example:
        >>> popularity_thirds(np.array([1, 4, 2, 0, 2])).tolist()
        [2, 0, 1, 3, 2]
    """
    order = np.argsort(-rows, kind="stable")
    middle = rows[order].cumsum() - rows[order] / 2
    third = np.empty(len(rows), dtype=np.int64)
    third[order] = np.minimum(3 * middle / max(rows.sum(), 1), 2)
    return np.where(rows > 0, third, 3)


def popularity_table(
    results: Mapping[str, RankingResult], part: WholePart, rows: NDArray[np.int64]
) -> pd.DataFrame:
    """Return which share of consumption and of recommendations the items of each third have.

    Args:
        results: One result a model, with lists.
        part: The users and targets that were evaluated.
        rows: Training rows of each item of the part.

    Returns:
        Columns `head`, `middle`, `tail` and `new` (without training rows), which sum to 1 in each
        row, or are NaN where there is nothing; rows `training rows`, `test rows` and one per model,
        of the items in its lists.
    """
    kind = np.append(popularity_thirds(rows), 3)  # also of what the dataset does not know
    weights = {
        "training rows": rows,
        "test rows": np.asarray(part.target_rows.sum(axis=0)).ravel(),
    }
    counts = {name: np.bincount(kind[:-1], each, minlength=4) for name, each in weights.items()}
    for model, result in results.items():
        if result.recommended is not None and result.item_ids is not None:
            listed = result.recommended[result.recommended >= 0]
            place = part.items.index_of(result.item_ids)
            counts[model] = np.bincount(kind[place[listed]], minlength=4).astype(np.float64)
    table = pd.DataFrame.from_dict(counts, orient="index", columns=[*THIRDS, NEW])
    return table.div(table.sum(axis=1).replace(0, np.nan), axis=0).rename_axis("items of")
