"""Metrics of lists that were made before: of other lengths, or of some of the targets."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from recsparse.config.metric_names import PER_USER, length_of
from recsparse.datasets.evaluated.whole_part import WholePart
from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.metrics.ranking_metrics import ranking_metrics

_LISTS_AT_ONCE = 1 << 14
_LENGTHS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


class ListedMetrics:
    """The lists of one model, by the items of the dataset.

    Args:
        result: Of the model, with its lists.
        part: The users and targets that were evaluated.

    Raises:
        InputError: If the result has no lists, or not as many as the part.
    """

    def __init__(self, result: RankingResult, part: WholePart) -> None:
        if result.recommended is None or result.item_ids is None:
            raise InputError(
                "a result must have lists and the ids of its items, but has none; pass one that "
                "evaluate made"
            )
        if len(result.recommended) != len(part.lists):
            raise InputError(
                f"a result must have the lists of its part, but has {len(result.recommended)} for "
                f"{len(part.lists)}; pass the part that it is of"
            )
        self._part = part
        # −1 also where the dataset does not know an item.
        place = np.append(part.items.index_of(result.item_ids), -1)
        self._lists = torch.from_numpy(place[result.recommended])

    def per_user(
        self, lengths: Sequence[int], items: NDArray[np.bool_] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Compare the lists with targets.

        Args:
            lengths: List lengths, at most that of the lists.
            items: Which items of the dataset count as targets; None for all.

        Returns:
            One value per user for names such as `ndcg@10`, the mean over the lists of each; NaN for
            users without targets among the items.
        """
        targets = self._part.lists.targets
        if items is not None:
            column = np.where(items, np.arange(len(items)), -1)
            targets = targets.with_columns(column, len(items))
        wanted = np.flatnonzero(targets.num_cells() > 0)
        targets = targets.of_rows(wanted)
        values: dict[str, NDArray[np.float64]] = {}
        for start in range(0, max(len(wanted), 1), _LISTS_AT_ONCE):
            rows = slice(start, start + _LISTS_AT_ONCE)
            found = ranking_metrics(self._lists[wanted[rows]], targets[rows], lengths)
            for name, some in found.items():
                of_lists = values.setdefault(name, np.full(len(self._lists), np.nan))
                of_lists[wanted[rows]] = some
        return RankingResult(values, {}, 0).by_user(self._part.lists.user).per_user


def listed_lengths(metrics: Iterable[str]) -> list[int]:
    """Return the list lengths of metrics that lists and targets are enough for.

    Args:
        metrics: Names such as `ndcg@10`.

    Returns:
        Rising.

    Example:
        >>> listed_lengths(["ndcg@20", "rmse", "map@5"])
        [5, 20]
    """
    named = {length_of(name) for name in metrics if name.partition("@")[0] in PER_USER}
    return sorted(length for length in named if length is not None)


def length_table(
    results: Mapping[str, RankingResult], part: WholePart, metric: str
) -> pd.DataFrame:
    """Return the mean of a metric at list lengths up to that of the lists.

    Args:
        results: One result a model, with lists.
        part: The users and targets that were evaluated.
        metric: Such as `ndcg@10`, whose length does not matter.

    Returns:
        One row per length, named `k`, one column per model; empty for metrics that take more than
        lists and targets.
    """
    kind = metric.partition("@")[0]
    lists = [result.recommended for result in results.values() if result.recommended is not None]
    if kind not in PER_USER or len(lists) < len(results):
        return pd.DataFrame(index=pd.Index([], name="k"))
    longest = min(each.shape[1] for each in lists)
    lengths = sorted({k for k in _LENGTHS if k < longest} | {longest})
    curves = {}
    for model, result in results.items():
        found = ListedMetrics(result, part).per_user(lengths)
        curves[model] = [float(np.nanmean(found[f"{kind}@{k}"])) for k in lengths]
    return pd.DataFrame(curves, index=pd.Index(lengths, name="k"))
