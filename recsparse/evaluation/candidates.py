"""Candidates: scored items of some users with what was wanted of them, ranked and judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from recsparse.config.metric_names import AUC
from recsparse.config.ranker import RankerConfig
from recsparse.errors import InputError, SchemaError, nearest
from recsparse.evaluation.ranking_result import RankingResult, num_known
from recsparse.metrics.chosen_metrics import ChosenMetrics


@dataclass(frozen=True, eq=False)
class Candidates:
    """One row per user and candidate item.

    Attributes:
        user_ids: Ids of the users, sorted.
        item_ids: Ids of all items that are anybody's candidates, sorted.
        user: The user of each row, an index from 0 on.
        item: The item of each row.
        score: The score of each row; NaN and −inf where the item is not to be recommended.
        target: How much the user wanted the item, 0 for not at all.
    """

    user_ids: pa.Array
    item_ids: pa.Array
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    score: NDArray[np.float64]
    target: NDArray[np.float64]

    @classmethod
    def of_frame(
        cls, frame: pd.DataFrame, scores: ArrayLike, targets: ArrayLike, columns: RankerConfig
    ) -> "Candidates":
        """Check and index a frame.

        Args:
            frame: Columns of users and items.
            scores: One per row.
            targets: One per row: true or above 0 where the item was wanted.
            columns: Names of the columns.

        Returns:
            The candidates.

        Raises:
            SchemaError: If a column is missing, or scores or targets are no numbers.
            InputError: If an id or a target is missing, a target is negative, or a user has an item
                twice.
        """
        user, user_ids = _indexed(frame, columns.user)
        item, item_ids = _indexed(frame, columns.item)
        found = cls(
            user_ids,
            item_ids,
            user,
            item,
            _numbers(scores, "scores", len(frame)),
            _numbers(targets, "targets", len(frame)),
        )
        if not (np.isfinite(found.target) & (found.target >= 0)).all():
            row = int(np.argmin(np.isfinite(found.target) & (found.target >= 0)))
            raise InputError(
                f"targets must be finite numbers of at least 0, but that of row {row} is "
                f"{found.target[row]}; write 0 where an item was not wanted"
            )
        cells = user * max(len(item_ids), 1) + item
        if len(np.unique(cells)) < len(cells):
            row = int(np.flatnonzero(pd.Series(cells).duplicated())[0])
            raise InputError(
                f"a user must have an item once, but {columns.user} {user_ids[user[row]]} has "
                f"{columns.item} {item_ids[item[row]]} again in row {row}; leave one out, since "
                "both would count as hits"
            )
        return found

    @property
    def shape(self) -> tuple[int, int]:
        """Users × items."""
        return len(self.user_ids), len(self.item_ids)

    def lists(self, k: int) -> NDArray[np.int64]:
        """Return the k best items of each user; of equal scores, the item of the lower id.

        Args:
            k: Length of the lists.

        Returns:
            Users × k, indices of items; -1 where there are fewer candidates with a score.
        """
        rows = np.flatnonzero(self.score > -np.inf)  # NaN is no score either
        order = rows[np.lexsort((self.item[rows], -self.score[rows], self.user[rows]))]
        user = self.user[order]
        place = np.arange(len(order)) - np.searchsorted(user, user)
        lists = np.full((self.shape[0], k), -1, dtype=np.int64)
        listed = place < k
        lists[user[listed], place[listed]] = self.item[order][listed]
        return lists

    def targets(self, items: NDArray[np.bool_] | None = None) -> csr_matrix:
        """Return what each user wanted.

        Args:
            items: Which items count; None for all.

        Returns:
            Users × items.
        """
        wanted = self.target > 0
        if items is not None:
            wanted &= items[self.item]
        cells = self.target[wanted], (self.user[wanted], self.item[wanted])
        return csr_matrix(cells, shape=self.shape)

    def result(
        self, metrics: Sequence[str], items: NDArray[np.bool_] | None = None
    ) -> RankingResult:
        """Rank each user's candidates and compare them with what was wanted.

        Args:
            metrics: As in `ndcg@10`.
            items: Which items count as wanted; None for all.

        Returns:
            Metrics a user, NaN for users who wanted none of their candidates; coverage is that of
            all items that are anybody's candidates.

        Raises:
            InputError: If a metric needs more than lists and targets.
        """
        chosen = ChosenMetrics(metrics)
        lists, targets = self.lists(chosen.longest), self.targets(items)
        of_scores = {AUC: self._auc(targets)} if chosen.wants_scores else {}
        recommended = torch.from_numpy(lists)
        per_user = chosen.per_user(recommended, targets, of_scores=of_scores)
        everything = np.ones(self.shape[1], dtype=bool)
        return RankingResult(
            per_user=per_user,
            coverage=chosen.of_all_lists(recommended, everything),
            num_users=num_known(per_user),
            user_ids=self.user_ids,
            recommended=lists,
            list_user=np.arange(self.shape[0]),
            item_ids=self.item_ids,
        )

    def _auc(self, targets: csr_matrix) -> NDArray[np.float64]:
        # The rank sum of Mann and Whitney; a target without a score loses all of its pairs.
        score = pd.Series(np.where(np.isnan(self.score), -np.inf, self.score))
        rank = score.groupby(self.user).rank().to_numpy()
        wanted = np.asarray(targets[self.user, self.item]).ravel() > 0
        count = np.bincount(self.user, minlength=self.shape[0])
        positive = np.bincount(self.user[wanted], minlength=self.shape[0])
        ranked = wanted & (score.to_numpy() > -np.inf)
        total = np.bincount(self.user[ranked], rank[ranked], self.shape[0])
        # Targets lose to each other what they would win: those without a score stand last.
        unranked = np.bincount(self.user[wanted & ~ranked], minlength=self.shape[0])
        own = positive - unranked
        won = total - own * (own + 1) / 2 - own * unranked
        pairs = positive * (count - positive)
        return np.divide(won, pairs, out=np.full(self.shape[0], np.nan), where=pairs > 0)


def _indexed(frame: pd.DataFrame, column: str) -> tuple[NDArray[np.int64], pa.Array]:
    if column not in frame:
        raise SchemaError(
            f"candidates must have the column {column!r}; {nearest(column, map(str, frame))}; "
            "name it in evaluator_config"
        )
    index, ids = pd.factorize(frame[column], sort=True)
    if (index < 0).any():
        row = int(np.argmin(index))
        raise InputError(f"{column} must not be missing, but that of row {row} is; drop such rows")
    try:
        return index.astype(np.int64), pa.array(ids)
    except pa.ArrowException as error:
        raise InputError(
            f"{column} must hold ids of one type, such as integers alone or strings alone, but "
            f"{error}; cast them"
        ) from error


def _numbers(values: ArrayLike, what: str, rows: int) -> NDArray[np.float64]:
    try:
        found = np.asarray(pd.Series(np.asarray(values).ravel()), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{what} must be numbers, but {error}") from error
    if len(found) != rows:
        raise InputError(f"there must be one of the {what} per row, but got {len(found)} of {rows}")
    return found
