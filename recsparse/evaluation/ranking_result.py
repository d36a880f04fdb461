"""RankingResult: the metrics of one model on one part, and what they are of."""

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.config.choices import Catalogue
from recsparse.datasets.evaluated.part_counts import PartCounts


@dataclass(frozen=True)
class RankingResult:
    """The metrics of one model on one part.

    Attributes:
        per_user: One value per user for each metric; NaN for users without targets.
        coverage: Figures of all lists together, such as `coverage@10` and `gini@10`.
        num_users: Users with targets.
        overall: Figures of all targets together, such as the RMSE of a model of ratings.
        catalogue: Which items were ranked and wanted; None where that was not chosen.
        part: How much of the part is evaluated; None where it was not counted.
        is_new: Whether a user has no training row, likewise.
        unknown_items: Items of the targets that the model does not know.
        rows_of_unknown_items: Rows of the part with such an item, each of them a miss.
        user_ids: Ids of the users, in the order of `per_user`; None where they are not known.
        history_lengths: Items known of each user before the part, likewise.
        recommended: Lists × longest length, item indices in the model's catalogue, the best
            first; -1 for no item.
        list_user: The user of each list, from 0 on.
        item_ids: Ids of the model's catalogue, by the indices of `recommended`.
        sampled_negatives: Random items that each user's targets were ranked among; None where it
            was the whole catalogue.
    """

    per_user: dict[str, NDArray[np.float64]]
    coverage: dict[str, float]
    num_users: int
    overall: dict[str, float] = field(default_factory=dict)
    catalogue: Catalogue | None = None
    part: PartCounts | None = None
    is_new: NDArray[np.bool_] | None = None
    unknown_items: int = 0
    rows_of_unknown_items: int = 0
    user_ids: pa.Array | None = None
    history_lengths: NDArray[np.int64] | None = None
    recommended: NDArray[np.int64] | None = None
    list_user: NDArray[np.int64] | None = None
    item_ids: pa.Array | None = None
    sampled_negatives: int | None = None

    def mean(self) -> dict[str, float]:
        """Return the figures of all targets together, and the mean of each metric over the users.

        Returns:
            NaN where there is no user with targets.
        """
        means = {name: _mean(values) for name, values in self.per_user.items()}
        return {**self.overall, **means}

    def standard_error(self) -> dict[str, float]:
        """Return the standard error of each mean over users.

        Returns:
            NaN for fewer than two users.
        """
        return {name: _standard_error(values) for name, values in self.per_user.items()}

    def groups(self) -> "dict[str, RankingResult]":
        """Return the metrics of the users with training rows, and of those without, apart.

        Returns:
            `known users` and `new users`, without what only lists or targets of all users tell;
            empty where all users are of one group.
        """
        if self.is_new is None or self.is_new.all() or not self.is_new.any():
            return {}
        return {"known users": self._of(~self.is_new), "new users": self._of(self.is_new)}

    def by_user(self, user: NDArray[np.int64]) -> "RankingResult":
        """Return the mean of each metric over the lists of each user.

        Args:
            user: The user of each value that is here, which is one of a list; from 0 on.

        Returns:
            One value per user; NaN where no list has targets.
        """
        per_user = {name: _means(values, user) for name, values in self.per_user.items()}
        return replace(self, per_user=per_user, num_users=num_known(per_user))

    def _of(self, users: NDArray[np.bool_]) -> "RankingResult":
        per_user = {name: values[users] for name, values in self.per_user.items()}
        # All users of a part have targets.
        return RankingResult(per_user, {}, int(users.sum()))


def num_known(per_user: dict[str, NDArray[np.float64]]) -> int:
    """Count the users with targets, of whom any metric is known.

    Args:
        per_user: One value per user for each metric; NaN for users without targets.

    Returns:
        Those of whom any metric is known.
    """
    return int(np.logical_or.reduce([~np.isnan(values) for values in per_user.values()]).sum())


def _means(values: NDArray[np.float64], user: NDArray[np.int64]) -> NDArray[np.float64]:
    known, num_users = ~np.isnan(values), int(user.max(initial=-1)) + 1
    total = np.bincount(user[known], values[known], num_users)
    count = np.bincount(user[known], minlength=num_users)
    return np.divide(total, count, out=np.full(num_users, np.nan), where=count > 0)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _standard_error(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")
