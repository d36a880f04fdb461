"""A comparison as JSON: all figures, for machines."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from recsparse.config.evaluation import EvaluationConfig
from recsparse.evaluation.comparison import Comparison

FORMAT_VERSION = 1


def report_json(compared: Comparison, options: EvaluationConfig | None, title: str) -> str:
    """Return a comparison as JSON; what is undefined is null.

    Args:
        compared: What to tell.
        options: Which users and items count; None where that was not chosen.
        title: What the models were compared on.

    Returns:
        An object with `reference`, `metric`, `verdict`, what was counted, and by model or metric
        all figures of the tables.
    """
    told = {
        "format_version": FORMAT_VERSION,
        "compared_on": title,
        "reference": compared.reference,
        "metric": compared.metric,
        "verdict": compared.verdict,
        "catalogue": compared.catalogue,
        "include_users": None if options is None else options.include_users,
        "part": None if compared.part is None else asdict(compared.part),
        "models": _by_row(compared.table),
        "groups": {name: _by_row(table) for name, table in compared.groups.items()},
        "significance": {metric: _by_row(table) for metric, table in compared.significance.items()},
        "slices": compared.slices.to_dict("records"),
        "popularity": _by_row(compared.popularity),
        "by_length": {model: {**column} for model, column in compared.by_length.items()},
    }
    return json.dumps(_plain(told), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _by_row(table: pd.DataFrame) -> dict[str, Any]:
    return {str(name): row for name, row in table.to_dict("index").items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
