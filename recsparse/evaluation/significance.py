"""Whether a model is better than others on the same users, and how sure that is."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student_t

from recsparse.config.metric_names import ACCURACY
from recsparse.errors import InputError
from recsparse.evaluation.bootstrap import MOST_ENUMERATED, bootstrap_sums, sign_flip_sums
from recsparse.evaluation.ranking_result import RankingResult

CONFIDENCE, POWER = 0.95, 0.8
ALPHA = 1 - CONFIDENCE
_COLUMNS = (
    *("difference", "standard error", "p", "low", "high"),
    *("ratio", "ratio low", "ratio high", "p randomisation"),
    *("users", "undefined", "users needed"),
)

_Names = tuple[str, str]
_Values = tuple[NDArray[np.float64], NDArray[np.float64]]


def significance_table(
    results: Mapping[str, RankingResult], reference: str, metric: str, seed: int = 0
) -> pd.DataFrame:
    """Compare each model with a reference, user by user, in one metric.

    Users are compared of whom the metric is defined for both models: those with targets; in errors
    of ratings, those of whom both predict any.
    Intervals are of 95 %, tests are two-sided, and p-values are adjusted for the number of models
    by Holm 1979.

    The columns:

    - `difference` of the reference over it, the `standard error` of that, and `p` of a paired
      t-test (1 where all differences are zero).
    - `low` and `high` of the difference, by the bootstrap over users: percentiles of 10,000
      draws.
    - `ratio` of the means, the reference's by the model's, with `ratio low` and `ratio high` of
      the same draws; NaN where the model's mean is 0, the interval also where it is in a draw.
    - `p randomisation`: the share of random signs of the differences whose mean is as far from
      0 (Fisher 1935); of 10,000, or of all up to 13 users.
    - `users` compared, and those of whom either metric is `undefined`.
    - `users needed` to see the difference in 8 of 10 such tests, with p below .05 (Guenther
      1981, Am. Stat. 35); NaN where there is no difference.

    Args:
        results: One result a model, all on the same users.
        reference: The model to compare the others with.
        metric: Such as `ndcg@10`.
        seed: Of the bootstrap and the randomisation.

    Returns:
        One row per model other than the reference, with these columns.

    Raises:
        InputError: If the reference or the metric is unknown, or the users differ.
    """
    return significance_tables(results, reference, [metric], seed)[metric]


def significance_tables(
    results: Mapping[str, RankingResult], reference: str, metrics: Sequence[str], seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Compare each model with a reference in several metrics, with the same draws of users.

    Args:
        results: One result a model, all on the same users.
        reference: The model to compare the others with.
        metrics: Such as `ndcg@10`.
        seed: Of the bootstrap and the randomisation.

    Returns:
        By metric, what `significance_table` returns. P-values are adjusted for the number of
        models, not for that of metrics.

    Raises:
        InputError: If the reference or a metric is unknown, or the users differ.
    """
    pairs = {
        (metric, model): _pair(results, reference, model, metric)
        for metric in metrics
        for model in results
    }
    pairs = {names: pair for names, pair in pairs.items() if names[1] != reference}
    rows = dict(zip(pairs, _compared(pairs, seed), strict=True)) if pairs else {}
    tables = {}
    for metric in metrics:
        found = {model: row for (name, model), row in rows.items() if name == metric}
        table = pd.DataFrame.from_dict(found, orient="index", columns=_COLUMNS, dtype=np.float64)
        table = table.astype({"users": np.int64, "undefined": np.int64})
        for name in ("p", "p randomisation"):
            table[name] = holm(table[name].to_numpy())
        tables[metric] = table.rename_axis(f"{reference} over")
    return tables


def users_needed(difference: float, deviation: float) -> float:
    """Return how many users a paired t-test needs to see a difference.

    Guenther 1981: ((z(.975) + z(.8)) · deviation / difference)² + z(.975)² / 2, where z is a
    quantile of the normal distribution: p below .05, power .8.

    Args:
        difference: Mean difference of two models over users.
        deviation: Standard deviation of the differences.

    Returns:
        A whole number, at least 2; NaN where the difference is 0 or either is undefined.

    Example:
        >>> users_needed(0.01, 0.1)
        787.0
    """
    if not difference or np.isnan(difference) or np.isnan(deviation):
        return float("nan")
    quantile = norm.ppf(1 - ALPHA / 2)
    size = ((quantile + norm.ppf(POWER)) * deviation / difference) ** 2 + quantile**2 / 2
    return float(max(np.ceil(size), 2))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for multiple comparisons (Holm 1979, Scand. J. Stat. 6).

    Args:
        p_values: One a comparison; NaN where there is none to make, which stays and does not count.

    Returns:
        Adjusted values, in the same order, at most 1.

    Example:
        >>> holm(np.array([0.01, 0.04])).tolist()
        [0.02, 0.04]
    """
    result = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factor = len(order) - np.arange(len(order))
    result[order] = np.minimum(np.maximum.accumulate(p_values[order] * factor), 1.0)
    return result


def _pair(results: Mapping[str, RankingResult], reference: str, model: str, metric: str) -> _Values:
    own, other = _values(results, reference, metric), _values(results, model, metric)
    ids = results[reference].user_ids, results[model].user_ids
    if len(own) != len(other):
        same = False
    elif ids[0] is not None and ids[1] is not None:
        same = ids[0].equals(ids[1])
    else:
        # Accuracy is undefined for users without targets alone; other metrics by the model, too.
        is_by_model = metric.partition("@")[0] not in ACCURACY
        same = is_by_model or np.array_equal(np.isnan(own), np.isnan(other))
    if not same:
        raise InputError(
            f"results must be on the same users, but {model} and {reference} are not; "
            "evaluate both on one part"
        )
    return own, other


def _values(results: Mapping[str, RankingResult], model: str, metric: str) -> NDArray[np.float64]:
    if model not in results or metric not in results[model].per_user:
        raise InputError(f"there must be a result {model!r} with the metric {metric!r}")
    return results[model].per_user[metric]


def _paired(difference: NDArray[np.float64]) -> list[float]:
    """Return the mean difference, its standard error, and the p-value of a paired t-test."""
    known = difference[~np.isnan(difference)]
    if len(known) < 2:
        return [float(known.mean()) if len(known) else float("nan"), float("nan"), float("nan")]
    mean, error = known.mean(), known.std(ddof=1) / np.sqrt(len(known))
    if not known.any():
        return [0.0, 0.0, 1.0]
    # By hand, since scipy's test warns where the differences are all but equal.
    with np.errstate(divide="ignore"):
        p_value = 2 * student_t.sf(abs(mean) / error, df=len(known) - 1)
    return [float(mean), float(error), float(p_value)]


def _compared(pairs: Mapping[_Names, _Values], seed: int) -> list[list[float]]:
    """Return the columns of each pair, p-values as they are."""
    rows = []
    drawn, p_values = _bootstrap(pairs, seed), _randomisation(pairs, seed)
    for (own, other), intervals, p_value in zip(pairs.values(), drawn, p_values, strict=True):
        difference, error, p_of_t = _paired(own - other)
        known = int((~np.isnan(own - other)).sum())
        needed = users_needed(difference, error * np.sqrt(known))
        counts = [known, len(own) - known, needed]
        row = [difference, error, p_of_t, *intervals, p_value, *counts]
        rows.append([float(value) for value in row])
    return rows


def _bootstrap(pairs: Mapping[_Names, _Values], seed: int) -> NDArray[np.float64]:
    """Return the interval of the difference, the ratio, and its interval, a row per pair."""
    columns: dict[tuple[str, str, bytes], NDArray[np.float64]] = {}
    keys = []
    for (metric, model), (own, other) in pairs.items():
        known = ~np.isnan(own - other)
        users = np.packbits(known).tobytes()
        three = {
            (metric, "", users): np.where(known, own, 0.0),
            (metric, model, users): np.where(known, other, 0.0),
            ("", "", users): known.astype(np.float64),
        }
        keys.append([*three])
        columns = three | columns
    place = {key: number for number, key in enumerate(columns)}
    values = np.column_stack([*columns.values()])
    sums = bootstrap_sums(values, seed=seed)
    places = ([place[key] for key in three] for three in keys)
    return np.array([_intervals(values[:, three].sum(axis=0), sums[:, three]) for three in places])


def _intervals(sums: NDArray[np.float64], drawn: NDArray[np.float64]) -> list[float]:
    """Return what is known of one pair from the sums of own values, of others, and of users."""
    own, other, users = sums
    if users < 2:
        return [np.nan, np.nan, own / other if other else np.nan, np.nan, np.nan]
    shares = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    drawn = drawn[drawn[:, 2] > 0]
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / drawn[:, 2], shares)
    if not (drawn[:, 1] > 0).all():
        return [low, high, own / other if other else np.nan, np.nan, np.nan]
    return [low, high, own / other, *np.quantile(drawn[:, 0] / drawn[:, 1], shares)]


def _randomisation(pairs: Mapping[_Names, _Values], seed: int) -> NDArray[np.float64]:
    """Return the p-value of each pair."""
    differences = np.column_stack([own - other for own, other in pairs.values()])
    num_known = (~np.isnan(differences)).sum(axis=0)
    differences = np.nan_to_num(differences[~np.isnan(differences).all(axis=1)])
    found = np.abs(differences.sum(axis=0))
    drawn = np.abs(sign_flip_sums(differences, seed=seed))
    # Equal sums are equal to six digits alone.
    as_far = (drawn >= found - 1e-6 * np.abs(differences).sum(axis=0)).sum(axis=0)
    all_signs = len(differences) <= MOST_ENUMERATED
    p_values = as_far / len(drawn) if all_signs else (as_far + 1) / (len(drawn) + 1)
    return np.where(num_known > 1, p_values, np.nan)
