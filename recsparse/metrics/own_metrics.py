"""Metrics of users' own: functions of recommended lists and target items."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.metric_names import figure_name, length_of, own_name
from recsparse.config.plugins import told_of
from recsparse.errors import InputError


@dataclass(frozen=True)
class OwnMetric:
    """A function of a user's own that judges lists.

    Attributes:
        name: What it is called in results.
        function: Returns one value per user, from lists of item indices, the best first, −1 for no
            item, and the targets, one row per user.
        length: Of the lists that it judges.
    """

    name: str
    function: Callable[[Tensor, csr_matrix], Any]
    length: int

    @classmethod
    def of(cls, metric: str, longest: int) -> "OwnMetric":
        """Return the metric that a configuration names.

        Args:
            metric: As `module:function` or `module:function@10`.
            longest: Length of the lists that it judges where the name has none.

        Returns:
            The metric.

        Raises:
            ConfigError: If this process was not told of the module, or it has no such function.
        """
        function = told_of(own_name(metric), "evaluation.metrics")
        return cls(figure_name(metric), function, length_of(metric) or longest)

    def per_user(
        self, recommended: Int[Tensor, "b k_max"], targets: csr_matrix
    ) -> NDArray[np.float64]:
        """Return the value of each user.

        Args:
            recommended: Item indices, the best first; -1 stands for no item.
            targets: One row per user.

        Returns:
            One value per user; NaN for a user without targets.

        Raises:
            InputError: If the function fails, or returns anything else than one number per user.
        """
        values = np.empty(0)
        # Nobody's own function is asked about no users at all.
        if len(recommended):
            values = self._called(recommended[:, : self.length], targets)
        if values.shape != (len(recommended),):
            raise InputError(
                f"the metric {self.name} must return one number for each of {len(recommended)} "
                f"users, but returned an array of {values.shape}"
            )
        return np.where(np.diff(targets.indptr) > 0, values, np.nan)

    def _called(self, recommended: Int[Tensor, "b k"], targets: csr_matrix) -> NDArray[np.float64]:
        try:
            return np.asarray(self.function(recommended, targets), dtype=np.float64)
        except Exception as error:
            raise InputError(
                f"the metric {self.name} must take item indices of lists and the targets, a row "
                "per user, and return one number for each row, but raised "
                f"{type(error).__name__}: {error}; mend the function"
            ) from error
