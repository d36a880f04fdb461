"""Evaluation over the full catalogue: scores, masks, lists, metrics per user."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.choices import Catalogue
from recsparse.datasets.evaluated.lists import SharedCells
from recsparse.datasets.evaluated.part_counts import PartCounts
from recsparse.errors import InputError
from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.top_k import mask_seen, top_k
from recsparse.models.protocol.features import Features


@dataclass(frozen=True)
class RankingResult:
    """The metrics of one model on one part.

    Attributes:
        per_user: One value per user for each metric; NaN for users without targets.
        coverage: Share of the catalogue in anyone's list, for each list length.
        num_users: Users with targets.
        overall: Figures of all targets together, such as the RMSE of a model of ratings.
        catalogue: Which items were ranked and wanted; None where that was not chosen.
        part: How much of the part is evaluated; None where it was not counted.
        is_new: Whether a user has no training row, likewise.
        unknown_items: Items of the targets that the model does not know.
        rows_of_unknown_items: Rows of the part with such an item, each of them a miss.
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
        return replace(self, per_user=per_user, num_users=_num_known(per_user))

    def _of(self, users: NDArray[np.bool_]) -> "RankingResult":
        per_user = {name: values[users] for name, values in self.per_user.items()}
        # All users of a part have targets.
        return RankingResult(per_user, {}, int(users.sum()))


def evaluate_ranking(  # noqa: PLR0913 (one parameter per option)
    score_batch: Callable[..., Tensor],
    history: csr_matrix | SharedCells,
    targets: csr_matrix | SharedCells,
    metrics: Sequence[str],
    batch_users: int = 1024,
    on_batch: Callable[[int], None] | None = None,
    times: csr_matrix | SharedCells | None = None,
    candidates: NDArray[np.bool_] | None = None,
    users: Features | None = None,
) -> RankingResult:
    """Rank all items for each user, without those of the history, and compare with the targets.

    Args:
        score_batch: Scores all items for some rows of the history, and of its times and of the
            features of the users where they are given.
        history: What a model may know of each user; these items are not recommended.
        targets: What each user took afterwards.
        metrics: What to measure, as in `ndcg@10`; a catalogue smaller than a list length gives
            lists with empty places.
        batch_users: Users scored at a time.
        on_batch: Called with the number of users done.
        times: The time of each interaction of the history, where times are known.
        candidates: Which items of the history may be in a list. With them, the targets may have
            further columns, of items that the model does not know: no list has these, and each is
            a miss.
        users: Features of the users, one row for each of the history; None where none are known.

    Returns:
        Metrics per user, and coverage of the candidates.

    Raises:
        InputError: If history, targets and candidates do not fit, or a list length is below 1.
        ConfigError: If this process was not told of the module of a metric.
    """
    _check_shapes(history, targets, candidates)
    chosen = ChosenMetrics(metrics)
    num_candidates = targets.shape[1] if candidates is None else int(candidates.sum())
    lists = [torch.empty(0, chosen.longest, dtype=torch.int64)]
    found = [chosen.per_user(lists[0], targets[:0])]
    for start in range(0, history.shape[0], batch_users):
        rows = history[start : start + batch_users]
        when = None if times is None else times[start : start + batch_users]
        given = [] if when is None and users is None else [when]
        if users is not None:
            given.append(users.rows(slice(start, start + batch_users)))
        scores = mask_seen(score_batch(rows, *given), rows)
        if candidates is not None and not candidates.all():
            scores = scores.masked_fill(torch.from_numpy(~candidates), -torch.inf)
        best, _ = top_k(scores, chosen.longest)
        lists.append(best)
        found.append(chosen.per_user(best, targets[start : start + batch_users]))
        if on_batch is not None:
            on_batch(start + rows.shape[0])
    recommended = torch.cat(lists)
    per_user = {name: np.concatenate([some[name] for some in found]) for name in found[0]}
    return RankingResult(
        per_user=per_user,
        coverage=chosen.coverage(recommended, num_candidates),
        num_users=_num_known(per_user),
    )


def _check_shapes(
    history: csr_matrix | SharedCells,
    targets: csr_matrix | SharedCells,
    candidates: NDArray[np.bool_] | None,
) -> None:
    if candidates is not None:
        fit = len(candidates) == history.shape[1] <= targets.shape[1]
    else:
        fit = history.shape[1] == targets.shape[1]
    if history.shape[0] != targets.shape[0] or not fit:
        raise InputError(
            f"history and targets must have one shape, but got {history.shape} and {targets.shape}"
            + ("" if candidates is None else f" with {len(candidates)} candidates")
        )


def _num_known(per_user: dict[str, NDArray[np.float64]]) -> int:
    """Count the users with targets, of whom all metrics are known."""
    return int((~np.isnan(next(iter(per_user.values())))).sum())


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
