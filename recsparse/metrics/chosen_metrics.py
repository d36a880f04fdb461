"""The metrics that a configuration names, all at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.metric_names import (
    ALL,
    COVERAGE,
    PER_USER,
    figure_name,
    length_of,
    own_name,
)
from recsparse.errors import InputError
from recsparse.metrics.own_metrics import OwnMetric
from recsparse.metrics.ranking_metrics import coverage, ranking_metrics


class ChosenMetrics:
    """What is measured of lists, in the order of its names.

    Args:
        names: As in `ndcg@10`, `all@20` or `my_module:my_metric@10`; at least one with a length,
            and no two functions of one name.

    Attributes:
        longest: The length of the longest lists that a metric judges.

    Raises:
        InputError: If a length is below 1, or none is named.
        ConfigError: If this process was not told of the module of a function.

    Example:
        >>> ChosenMetrics(["recall@5", "ndcg@20"]).longest
        20
    """

    def __init__(self, names: Sequence[str]) -> None:
        lengths = [length for length in map(length_of, names) if length is not None]
        if not lengths or min(lengths) < 1:
            raise InputError(
                f"metrics must be named with list lengths of at least 1, but are {[*names]}"
            )
        self.longest = max(lengths)
        own = dict.fromkeys(filter(own_name, names))
        self._own = [OwnMetric.of(name, self.longest) for name in own]
        all_names = [each for name in names for each in _spelled_out(name)]
        self._per_user = [figure_name(name) for name in all_names if not _is_coverage(name)]
        ours = {length_of(name) for name in all_names if _is_ours(name)}
        self._lengths = sorted(length for length in ours if length is not None)
        shown = {length_of(name) for name in all_names if _is_coverage(name)}
        self._shown = [length for length in shown if length is not None]

    def per_user(
        self, recommended: Int[Tensor, "b k_max"], targets: csr_matrix
    ) -> dict[str, NDArray[np.float64]]:
        """Measure the list of each user.

        Args:
            recommended: Item indices, the best first; -1 stands for no item. At least `longest`.
            targets: One row per user.

        Returns:
            One value per user for each metric; NaN for a user without targets.

        Raises:
            InputError: If the users differ, or a function of a user's own fails.
        """
        found = ranking_metrics(recommended, targets, self._lengths) if self._lengths else {}
        found |= {metric.name: metric.per_user(recommended, targets) for metric in self._own}
        return {name: found[name] for name in self._per_user}

    def coverage(self, recommended: Int[Tensor, "b k_max"], num_items: int) -> dict[str, float]:
        """Measure the lists of all users together.

        Args:
            recommended: Item indices, -1 for no item.
            num_items: Size of the catalogue.

        Returns:
            The share of the catalogue in anyone's list, for each length at which it is asked for.
        """
        return {f"{COVERAGE}@{k}": coverage(recommended, num_items, k) for k in self._shown}


def _spelled_out(name: str) -> list[str]:
    kind, _, length = name.partition("@")
    return [f"{each}@{length}" for each in (*PER_USER, COVERAGE)] if kind == ALL else [name]


def _is_coverage(name: str) -> bool:
    return name.partition("@")[0] == COVERAGE


def _is_ours(name: str) -> bool:
    return not own_name(name) and not _is_coverage(name)
