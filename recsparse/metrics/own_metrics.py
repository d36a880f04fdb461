"""Metrics of users' own: functions of recommended lists and target items."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.plugins import told_of
from recsparse.errors import InputError

# One value a user, from lists of item indices, the best first, −1 for no item, and the targets.
OwnMetric = Callable[[Tensor, csr_matrix], Any]


def own_metrics(names: Sequence[str]) -> dict[str, OwnMetric]:
    """Return the functions that a configuration names.

    Args:
        names: `module:function` each.

    Returns:
        The functions by the names that they have in their modules.

    Raises:
        InputError: If one is no function, or two are of one name.
        ConfigError: If this process was not told of a module.
    """
    found: dict[str, OwnMetric] = {}
    for name in names:
        own = name.rpartition(":")[2]
        metric = told_of(name, "evaluation.metrics")
        if not callable(metric) or own in found:
            raise InputError(
                "evaluation.metrics must be functions of different names, but got "
                f"{', '.join(names)}; write each as module:function"
            )
        found[own] = metric
    return found


def measured(
    metrics: Mapping[str, OwnMetric], recommended: Int[Tensor, "b k_max"], targets: csr_matrix
) -> dict[str, NDArray[np.float64]]:
    """Return each user's value of some metrics.

    Args:
        metrics: Functions by name.
        recommended: Item indices, the best first; -1 stands for no item.
        targets: One row a user.

    Returns:
        One value a user and metric; NaN for a user without targets.

    Raises:
        InputError: If a function fails, or returns anything else than one number a user.
    """
    found, known = {}, np.diff(targets.indptr) > 0
    for name, metric in metrics.items():
        # Nobody's own function is asked about no users at all.
        values = np.empty(0)
        if len(recommended):
            values = _called(name, metric, recommended, targets)
        if values.shape != (len(recommended),):
            raise InputError(
                f"the metric {name} must return one number for each of {len(recommended)} users, "
                f"but returned an array of {values.shape}"
            )
        found[name] = np.where(known, values, np.nan)
    return found


def _called(
    name: str, metric: OwnMetric, recommended: Int[Tensor, "b k_max"], targets: csr_matrix
) -> NDArray[np.float64]:
    try:
        return np.asarray(metric(recommended, targets), dtype=np.float64)
    except Exception as error:
        raise InputError(
            f"the metric {name} must take item indices of lists and the targets, a row a user, and "
            f"return one number for each row, but raised {type(error).__name__}: {error}; mend the "
            "function"
        ) from error
