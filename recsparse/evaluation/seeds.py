"""Several seeds, splits or windows as one table: means, errors and differences over all of them.

Users are nested in splits: a figure varies between splits and, within each, between users.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsparse.errors import InputError
from recsparse.evaluation.nested_mean import NestedMean, nested_mean
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.significance import holm

# Results by model, then by split, window or seed.
SplitResults = Mapping[str, Mapping[str, RankingResult]]


def seeds_table(results: SplitResults) -> pd.DataFrame:
    """Return the mean of every metric over splits, with its error.

    Args:
        results: Of each model, a result per split; all models have the same splits.

    Returns:
        One row per model and metric: `splits`, `users` (distinct ones), `mean`, `standard error`,
        the bounds `low` and `high` of its interval of 95 %, and the standard deviations `between
        splits` and `within splits`, as `NestedMean` defines them.

    Raises:
        InputError: If models have different splits or users.
    """
    _check(results)
    rows = {}
    for model, by_split in results.items():
        users = _users(by_split)
        for metric in _metrics(by_split):
            found = nested_mean([each.per_user[metric] for each in by_split.values()], users)
            rows[model, metric] = {
                "splits": found.num_splits,
                "users": found.num_users,
                "mean": found.mean,
                **_sureness(found),
                "between splits": np.sqrt(found.between),
                "within splits": np.sqrt(found.within),
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples([*rows], names=["model", "metric"])
    return table


def differences_over_seeds(
    results: SplitResults, reference: str, metrics: Sequence[str] = ()
) -> pd.DataFrame:
    """Compare each model with a reference over several splits, paired by user within each.

    The differences of a user within a split are averaged as `nested_mean` does, with the split as
    the cluster; p-values are adjusted for the number of models by Holm 1979.

    Args:
        results: Of each model, a result per split; all models have the same splits and users.
        reference: The model to compare the others with.
        metrics: Which; none for all that all models have.

    Returns:
        One row per metric and model other than the reference: `splits`, `difference` of the
        reference over it, its `standard error`, `low`, `high`, and `p`.

    Raises:
        InputError: If the reference or a metric is unknown, or splits or users differ.
    """
    _check(results, reference, metrics)
    others = [model for model in results if model != reference]
    own, rows = results[reference], {}
    users = _users(own)
    shared = [
        name for name in _metrics(own) if all(name in _metrics(results[each]) for each in others)
    ]
    for metric in metrics or shared:
        found = [
            nested_mean(
                [
                    own[split].per_user[metric] - results[model][split].per_user[metric]
                    for split in own
                ],
                users,
            )
            for model in others
        ]
        p_values = holm(np.array([each.p_value() for each in found]))
        for model, each, p_value in zip(others, found, p_values, strict=True):
            rows[metric, model] = {
                "splits": each.num_splits,
                "difference": each.mean,
                **_sureness(each),
                "p": float(p_value),
            }
    columns = ["splits", "difference", "standard error", "low", "high", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples([*rows], names=["metric", f"{reference} over"])
    return table


def _sureness(found: NestedMean) -> dict[str, float]:
    low, high = found.interval()
    return {"standard error": found.error, "low": low, "high": high}


def _users(by_split: Mapping[str, RankingResult]) -> list[NDArray[np.int64]] | None:
    """Number the users of all splits; None where ids are not known."""
    ids = [each.user_ids for each in by_split.values() if each.user_ids is not None]
    if len(ids) < len(by_split):
        return None
    codes, _ = pd.factorize(np.concatenate([each.to_numpy(zero_copy_only=False) for each in ids]))
    ends = np.cumsum([len(each) for each in ids])[:-1]
    return np.split(codes.astype(np.int64), ends)


def _metrics(by_split: Mapping[str, RankingResult]) -> list[str]:
    first, *rest = (each.per_user for each in by_split.values())
    return [name for name in first if all(name in each for each in rest)]


def _check(
    results: SplitResults, reference: str | None = None, metrics: Sequence[str] = ()
) -> None:
    splits = {model: [*by_split] for model, by_split in results.items()}
    if reference is not None and reference not in results:
        raise InputError(f"there must be results of {reference!r}, but there are {[*results]}")
    if not results or not all(splits.values()):
        raise InputError(f"there must be results of at least one split, but got {splits}")
    model, own = next(iter(results.items()))
    for other, by_split in results.items():
        if by_split.keys() != own.keys():
            raise InputError(
                f"models must have results of the same splits, but {model} has {[*own]} and "
                f"{other} has {[*by_split]}; evaluate both on all"
            )
        for split, result in by_split.items():
            _check_users(own[split], result, f"{other} and {model} in {split}")
        for metric in metrics:
            if metric not in _metrics(by_split):
                raise InputError(
                    f"{other} must have the metric {metric!r} in all splits, but has "
                    f"{', '.join(_metrics(by_split))}"
                )


def _check_users(one: RankingResult, other: RankingResult, where: str) -> None:
    lengths = [{len(values) for values in each.per_user.values()} for each in (one, other)]
    ids = one.user_ids, other.user_ids
    same = None in ids or (ids[0] is not None and ids[0].equals(ids[1]))
    if lengths[0] != lengths[1] or not same:
        raise InputError(
            f"results must be on the same users, but those of {where} are not; evaluate both on "
            "one part"
        )
