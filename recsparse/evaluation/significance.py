"""Whether a model is better than others on the same users, and how sure that is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.metrics.rating_metrics import RATING_FORMULAS


def significance_table(
    results: Mapping[str, RankingResult], reference: str, metric: str
) -> pd.DataFrame:
    """Compare each model with a reference, user by user.

    A paired t-test over the users with targets, of errors of ratings over those users of whom both
    models predict any; p-values are adjusted for the number of comparisons by Holm 1979.

    Args:
        results: One result a model, all on the same users.
        reference: The model to compare the others with.
        metric: Such as `ndcg@10`.

    Returns:
        One row per model other than the reference: `difference` of the reference over it, the
        `standard error` of that, and `p` (1 where all differences are zero).

    Raises:
        InputError: If the reference or the metric is unknown, or the users differ.
    """
    own = _values(results, reference, metric)
    rows = {}
    for model in results:
        other = _values(results, model, metric)
        # A model predicts no rating of an item that it does not know; lists there are of all.
        same = metric in RATING_FORMULAS or np.array_equal(np.isnan(own), np.isnan(other))
        if len(own) != len(other) or not same:
            raise InputError(
                f"results must be on the same users, but {model} and {reference} are not; "
                "evaluate both on one part"
            )
        if model != reference:
            rows[model] = _paired(own - other)
    columns = ["difference", "standard error", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=np.float64)
    table["p"] = holm(table["p"].to_numpy())
    return table.rename_axis(f"{reference} over")


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for multiple comparisons (Holm 1979, Scand. J. Stat. 6).

    Args:
        p_values: One a comparison.

    Returns:
        Adjusted values, in the same order, at most 1.

    Example:
        >>> holm(np.array([0.01, 0.04])).tolist()
        [0.02, 0.04]
    """
    order = np.argsort(p_values, kind="stable")
    factor = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(p_values[order] * factor), 1.0)
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result


def _values(results: Mapping[str, RankingResult], model: str, metric: str) -> np.ndarray:
    if model not in results or metric not in results[model].per_user:
        raise InputError(f"there must be a result {model!r} with the metric {metric!r}")
    return results[model].per_user[metric]


def _paired(difference: np.ndarray) -> list[float]:
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
