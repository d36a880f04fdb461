"""The metrics that a configuration names, all at once."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.metric_names import (
    AUC,
    BEYOND,
    figure_name,
    is_of_all_lists,
    length_of,
    own_name,
    spelled_out,
)
from recsparse.errors import InputError
from recsparse.metrics.item_metrics import OF_ITEMS
from recsparse.metrics.judged_lists import JudgedLists, require_lists
from recsparse.metrics.list_context import ListContext
from recsparse.metrics.list_totals import list_totals
from recsparse.metrics.own_metrics import OwnMetric
from recsparse.metrics.ranking_metrics import accuracy

logger = logging.getLogger(__name__)


class ChosenMetrics:
    """What is measured of lists, in the order of its names.

    Args:
        names: As in `ndcg@10`, `all@20`, `beyond@10`, `auc` or `my_module:my_metric@10`; at least
            one with a length, and no two functions of one name. `beyond` leaves out what the
            context knows too little for, and says so.
        context: What is known of the items.

    Attributes:
        longest: The length of the longest lists that a metric judges.
        wants_scores: Whether `auc` is among them, which no list tells.

    Raises:
        InputError: If a length is below 1, none is named, or the context lacks what a metric needs.
        ConfigError: If this process was not told of the module of a function.

    Example:
        >>> ChosenMetrics(["recall@5", "ndcg@20"]).longest
        20
    """

    def __init__(self, names: Sequence[str], context: ListContext | None = None) -> None:
        lengths = [length for length in map(length_of, names) if length is not None]
        if not lengths or min(lengths) < 1:
            raise InputError(
                f"metrics must be named with list lengths of at least 1, but are {[*names]}"
            )
        self.context = ListContext() if context is None else context
        self.longest = max(lengths)
        self._own = {
            figure_name(name): OwnMetric.of(name, self.longest)
            for name in dict.fromkeys(filter(own_name, names))
        }
        measured = [each for name in names for each in self._measured(name)]
        self._per_user = [figure_name(name) for name in measured if not is_of_all_lists(name)]
        self._of_all = list(dict.fromkeys(filter(is_of_all_lists, measured)))
        self.wants_scores = AUC in self._per_user

    def _measured(self, name: str) -> list[str]:
        metrics = spelled_out(name)
        if not name.startswith(f"{BEYOND}@"):
            for metric in metrics:
                self.context.require(metric)
            return metrics
        left = [metric for metric in metrics if not self.context.missing(metric)]
        if len(left) < len(metrics):
            logger.warning(
                "%s leaves out %s: name one of them in evaluation.metrics to hear what it needs",
                name,
                ", ".join(metric for metric in metrics if metric not in left),
            )
        return left

    def per_user(
        self,
        recommended: Int[Tensor, "b k_max"],
        targets: csr_matrix,
        history: csr_matrix | None = None,
        of_scores: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Measure the list of each user.

        Args:
            recommended: Item indices, the best first; -1 stands for no item. At least `longest`.
            targets: One row per user.
            history: One row per user, what was known of them; metrics that compare lists with it
                need it.
            of_scores: Where `wants_scores`, the values of `auc`, which were measured elsewhere.

        Returns:
            One value per user for each metric; NaN for a user without targets, and where a metric
            is undefined.

        Raises:
            InputError: If the users differ, an item is in a list twice, there is no history where
                one is needed, or a function of a user's own fails.
        """
        require_lists(recommended.numpy(), targets)
        lists = JudgedLists(recommended.numpy(), targets, history, self.context)
        given = {} if of_scores is None else of_scores
        return {
            name: given[name] if name in given else self._value(name, recommended, lists)
            for name in self._per_user
        }

    def _value(
        self, name: str, recommended: Int[Tensor, "b k_max"], lists: JudgedLists
    ) -> NDArray[np.float64]:
        if name in self._own:
            return self._own[name].per_user(recommended, lists.targets)
        metric, _, length = name.partition("@")
        if metric in OF_ITEMS:
            values = OF_ITEMS[metric](lists, int(length))
            return np.where(lists.has_targets, values, np.nan)
        return accuracy(lists, metric, int(length))

    def of_all_lists(
        self, recommended: Int[Tensor, "b k_max"], candidates: NDArray[np.bool_]
    ) -> dict[str, float]:
        """Measure the lists of all users together.

        Args:
            recommended: Item indices, -1 for no item.
            candidates: Which items of the catalogue may be in a list.

        Returns:
            Figures by name, such as `coverage@10`.
        """
        found = {}
        for name in self._of_all:
            metric, _, length = name.partition("@")
            found[name] = list_totals(metric, recommended.numpy(), int(length), candidates)
        return found
