"""The verdict on models in sentences: which the reference beats, and what could not be shown."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from recsparse.evaluation.significance import ALPHA
from recsparse.metrics.definitions import definition

_FEW = 30


def verdict(reference: str, metric: str, tested: pd.DataFrame) -> list[str]:
    """Say how a model does against others.

    Args:
        reference: The model.
        metric: That it is compared in.
        tested: What `significance_table` made of it.

    Returns:
        One sentence for each other model, in their order: better or worse where the t-test and the
        randomisation agree that there is a difference (Holm-adjusted p below .05), and else that
        none could be shown.

    Example:
        >>> columns = ["difference", "low", "high", "ratio", "ratio low", "ratio high", "p",
        ...     "p randomisation", "users", "users needed"]
        >>> row = [0.02, 0.015, 0.025, 1.044, 1.033, 1.055, 0.0001, 0.0002, 900, 200]
        >>> verdict("blend", "ndcg@10", pd.DataFrame([row], ["ease"], columns))
        ['blend is better than ease by 4.4 % ± 1.1 in ndcg@10, p = 0.0002.']
    """
    rows = tested.to_dict("index").items()
    return [_sentence(reference, metric, str(model), row) for model, row in rows]


def _sentence(reference: str, metric: str, model: str, row: Mapping[Hashable, Any]) -> str:
    size = _size(row)
    p_value = max(row["p"], row["p randomisation"])
    if row["users"] < 2:
        return f"{reference} and {model} have too few users in common to be compared in {metric}."
    if p_value < ALPHA:
        kind = judged(metric, bool(row["difference"] > 0))
        return f"{reference} is {kind} than {model} by {size} in {metric}, {_p_text(p_value)}."
    sentence = f"No difference of {reference} to {model} could be shown in {metric}"
    sentence += f" ({_signed(row)}, {_p_text(p_value)})"
    if row["users"] < _FEW:
        return f"{sentence}; {row['users']:.0f} users are too few to tell."
    if row["users needed"] > row["users"]:
        needed = _rounded(row["users needed"])
        return f"{sentence}; to see one of this size takes about {needed} users."
    return f"{sentence}."


def judged(metric: str, is_higher: bool) -> str:
    """Say what a difference in a metric means.

    Args:
        metric: The metric; one that is not known is the better, the higher.
        is_higher: Whether the first of two values is the higher one.

    Returns:
        `better` or `worse`; of a metric of which neither is better, `higher` or `lower`.
    """
    known = definition(metric)
    better = "higher" if known is None else known.better
    if better == "neither":
        return "higher" if is_higher else "lower"
    return "better" if is_higher == (better == "higher") else "worse"


def _size(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["ratio low"]):
        half = (row["high"] - row["low"]) / 2
        return f"{abs(row['difference']):.3g} ± {half:.2g}"
    half = (row["ratio high"] - row["ratio low"]) / 2
    return f"{100 * abs(row['ratio'] - 1):.1f} % ± {100 * half:.1f}"


def _signed(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["ratio low"]):
        return f"{row['difference']:+.3g} ± {(row['high'] - row['low']) / 2:.2g}"
    half = (row["ratio high"] - row["ratio low"]) / 2
    return f"{100 * (row['ratio'] - 1):+.1f} % ± {100 * half:.1f}"


def _p_text(p_value: float) -> str:
    return "p < 0.0001" if p_value < 1e-4 else f"p = {p_value:.2g}"


def _rounded(users: int | float) -> str:
    digits = max(len(str(int(users))) - 2, 0)
    return f"{round(users / 10**digits) * 10**digits:,.0f}"
