"""Differences between models, with their standard errors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_rel


def differences(found: Mapping[str, list[pd.Series]]) -> pd.DataFrame:
    """Compare each variant with the first.

    Args:
        found: The metric of each user, one series a seed.

    Returns:
        One row per variant: mean and standard error over the seeds, the same of the difference, and
        the seeds on which a paired t-test over the users calls it one (p < .01), by sign.
    """
    base = next(iter(found.values()))
    rows = []
    for variant, values in found.items():
        means = np.array([each.mean() for each in values])
        gaps = np.array([(own - other).mean() for own, other in zip(values, base, strict=True)])
        row: dict[str, Any] = {
            "variant": variant,
            "mean": _with_error(means).lstrip("+"),
            "difference": "",
        }
        if values is not base:
            tests = [
                ttest_rel(own, other, nan_policy="omit").pvalue < 0.01
                for own, other in zip(values, base, strict=True)
            ]
            better, worse = (int((tests & (sign * gaps > 0)).sum()) for sign in (1, -1))
            row |= {"difference": _with_error(gaps), "better": better, "worse": worse}
        rows.append(row)
    return pd.DataFrame(rows)


def _with_error(values: np.ndarray) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{values.mean():+.4f} ± {error:.4f}"
