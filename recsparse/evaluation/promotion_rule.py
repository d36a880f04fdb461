"""The rule by which a model takes the place of the champion, on figures of the same users."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recsparse.config.promotion import PromotionConfig
from recsparse.errors import InputError, nearest
from recsparse.evaluation.promotion_check import Check, one_sided_p, share_text
from recsparse.evaluation.promotion_slices import slice_checks
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.run_figures import run_figures
from recsparse.evaluation.slices import slice_figures, slice_table
from recsparse.evaluation.slices_of_part import SlicedPart
from recsparse.metrics.definitions import better_of
from recsparse.reporting.value_text import value_text


def promotion_checks(
    candidate: RankingResult,
    champion: RankingResult,
    rule: PromotionConfig,
    sliced: SlicedPart | None = None,
) -> list[Check]:
    """Compare two models by a rule; the candidate is promoted where all checks have passed.

    The rule: a one-sided paired t-test over users of the differences
    ``candidate − (1 + margin) · champion`` for `better`, ``candidate − (1 − margin) · champion``
    for `not_worse`, whose mean must be shown to be above 0. Both factors leave the means of the
    users as they are, so that the margin is a share of the champion's mean, whose own uncertainty
    is in the test (Fieller 1954, J. R. Stat. Soc. B 16).

    A guard compares the figures as they were measured: one that is the better the higher may fall
    by its share, one that is the better the lower may rise by it.

    Args:
        candidate: Figures of the new model.
        champion: Figures of the model whose place it would take.
        rule: The rule.
        sliced: The part that both are of, with its slices; None where no slice counts.

    Returns:
        The checks; only that of the number of users where there are too few.

    Raises:
        InputError: If the two were not measured on the same users, or one lacks a figure.
    """
    ours, theirs = _of_same_users(candidate, champion, rule.metric)
    if len(ours) < rule.min_users:
        return [_too_few(ours, theirs, rule)]
    figures = _figures(candidate, sliced, rule), _figures(champion, sliced, rule)
    guards = [_guard(*figures, name, fall) for name, fall in rule.guards.items()]
    slices = slice_checks(candidate, champion, sliced, rule) if sliced and rule.slices else []
    return [_by_rule(ours, theirs, rule), *guards, *slices]


def _by_rule(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], rule: PromotionConfig
) -> Check:
    sign = 1 if rule.rule == "better" else -1
    p = one_sided_p(ours - (1 + sign * rule.margin) * theirs)
    mean, reference = float(ours.mean()), float(theirs.mean())
    shown = "" if p < rule.p else "not shown to be "
    if rule.rule == "better":
        wanted = "better than" if rule.margin == 0 else f"more than {share_text(rule.margin)} above"
    else:
        wanted = f"less than {share_text(rule.margin)} below"
    change = f"{100 * (mean / reference - 1):+.2f} %, " if reference else ""
    reason = (
        f"{rule.metric} {value_text(mean)} is {shown}{wanted} {value_text(reference)} "
        f"({change}p {p:.2g} {'<' if p < rule.p else '≥'} {rule.p:g}, {len(ours):,} users)"
    )
    return Check("rule", rule.metric, mean, reference, p, p < rule.p, reason)


def _too_few(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], rule: PromotionConfig
) -> Check:
    reason = (
        f"{len(ours)} users with test rows are too few to tell, at least {rule.min_users} are "
        "needed (promotion.min_users)"
    )
    own, other = (float(each.mean()) if len(each) else float("nan") for each in (ours, theirs))
    return Check("users", rule.metric, own, other, None, False, reason)


def _guard(
    ours: Mapping[str, float], theirs: Mapping[str, float], name: str, may_fall: float
) -> Check:
    if name not in ours or name not in theirs:
        raise InputError(
            f"promotion.guards must name figures of both models, but {name!r} is none; "
            f"{nearest(name, sorted(ours.keys() & theirs.keys()))}"
        )
    own, other = ours[name], theirs[name]
    sign, side = (1, "above") if better_of(name) == "lower" else (-1, "below")
    # What neither has, such as recall of new users where there are none, has not become worse.
    passed = bool(sign * own <= sign * (1 + sign * may_fall) * other)
    passed |= bool(np.isnan(own) and np.isnan(other))
    beyond = f"{'no more' if passed else 'more'} than {share_text(may_fall)} {side}"
    reason = f"{name} {value_text(own)} is {beyond} {value_text(other)}"
    return Check("guard", name, own, other, None, passed, reason)


def _of_same_users(
    candidate: RankingResult, champion: RankingResult, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = []
    for result in (candidate, champion):
        if metric not in result.per_user:
            raise InputError(
                f"promotion.metric must be measured of each user, but {metric!r} is not; "
                f"{nearest(metric, result.per_user)}"
            )
        both.append(result.per_user[metric])
    ours, theirs = both
    if len(ours) != len(theirs) or not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        raise InputError(
            "candidate and champion must be measured on the same users, but are on "
            f"{candidate.num_users} and {champion.num_users} of {len(ours)} and {len(theirs)}; "
            "rank both on one test part"
        )
    known = ~np.isnan(ours)
    return ours[known], theirs[known]


def _figures(
    result: RankingResult, sliced: SlicedPart | None, rule: PromotionConfig
) -> dict[str, float]:
    figures = {name.removeprefix("test_"): value for name, value in run_figures(result).items()}
    if sliced is not None and rule.guards.keys() - figures.keys():
        table = slice_table(result, sliced.slices, sliced.part)
        for metric in result.per_user:
            figures |= slice_figures(table, metric)
    return figures
