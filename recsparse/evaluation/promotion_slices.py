"""Slices that must not fall where a model takes the place of the champion."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsparse.config.metric_names import length_of
from recsparse.config.promotion import PromotionConfig
from recsparse.config.slice_names import COLUMNS, NAMES
from recsparse.errors import InputError
from recsparse.evaluation.listed_metrics import ListedMetrics
from recsparse.evaluation.promotion_check import Check, one_sided_p, share_text
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import holm
from recsparse.evaluation.slices import Slice
from recsparse.evaluation.slices_of_part import SlicedPart
from recsparse.reporting.value_text import value_text


def slice_checks(
    candidate: RankingResult, champion: RankingResult, sliced: SlicedPart, rule: PromotionConfig
) -> list[Check]:
    """Look for slices in which the candidate is shown to be worse than it may be.

    For each slice of at least `min_users` users, a one-sided paired t-test of
    ``(1 − slices_may_fall) · champion − candidate``; the p-values are adjusted for the number of
    slices by Holm 1979. A slice has fallen where the adjusted one is below `p`.

    Args:
        candidate: Figures of the new model.
        champion: Figures of the model whose place it would take, on the same users.
        sliced: The part and its slices.
        rule: Which of them count.

    Returns:
        One check per slice that is large enough.

    Raises:
        InputError: If a slice is of items, and lists and targets are not enough for the metric.
    """
    names, pairs = [], []
    for some in sliced.slices:
        if any(_is_of(some, wanted) for wanted in rule.slices):
            both = [_values(each, some, sliced, rule.metric) for each in (candidate, champion)]
            known = ~np.isnan(both[0]) & ~np.isnan(both[1])
            if known.sum() >= rule.min_users:
                names.append(some.name)
                pairs.append((both[0][known], both[1][known]))
    least = 1 - rule.slices_may_fall
    found = np.array([one_sided_p(least * theirs - ours) for ours, theirs in pairs])
    adjusted = holm(found).tolist()
    return [*_checks(names, pairs, adjusted, rule)]


def _checks(
    names: list[str],
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    adjusted: list[float],
    rule: PromotionConfig,
) -> Iterator[Check]:
    for name, (ours, theirs), p in zip(names, pairs, adjusted, strict=True):
        passed, metric = p >= rule.p, f"{rule.metric} of {name}"
        own, other = float(ours.mean()), float(theirs.mean())
        fallen = "is not shown to be" if passed else "is"
        if rule.slices_may_fall:
            fallen += f" more than {share_text(rule.slices_may_fall)}"
        reason = (
            f"{metric} {value_text(own)} {fallen} below {value_text(other)} "
            f"(p {p:.2g}, {len(ours):,} users)"
        )
        yield Check("slice", metric, own, other, p, passed, reason)


def _is_of(some: Slice, wanted: str) -> bool:
    # Slices of `items.genre` are of the group `genre`.
    if wanted == COLUMNS:
        return some.group not in NAMES
    return some.group == wanted.rpartition(".")[2]


def _values(
    result: RankingResult, some: Slice, sliced: SlicedPart, metric: str
) -> NDArray[np.float64]:
    if some.items is None:
        values = result.per_user[metric]
    else:
        length = length_of(metric)
        found = (
            {}
            if length is None
            else ListedMetrics(result, sliced.part).per_user([length], some.items)
        )
        if metric not in found:
            raise InputError(
                f"slices of items must have a metric of lists and targets alone, but {metric} "
                "takes more; leave them out of promotion.slices, or set promotion.metric to one "
                "such as ndcg@10"
            )
        values = found[metric]
    return values if some.users is None else np.where(some.users, values, np.nan)
