"""Evaluation over the full catalogue: scores, masks, lists, metrics per user."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.metric_names import AUC
from recsparse.datasets.evaluated.lists import SharedCells
from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult, num_known
from recsparse.metrics.auc import auc, num_others
from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.list_context import ListContext
from recsparse.metrics.sampled_negatives import SampledNegatives
from recsparse.metrics.top_k import mask_seen, top_k_unseen
from recsparse.models.protocol.features import Features


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
    context: ListContext | None = None,
    sampled: SampledNegatives | None = None,
) -> RankingResult:
    """Rank all items for each user, without those of the history, and compare with the targets.

    Scores are not changed, and copied for a few users at a time.

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
        context: What is known of the items, for metrics that need it.
        sampled: Ranks targets among some random items, which biases all figures; None ranks the
            whole catalogue.

    Returns:
        Metrics per user, figures of all lists, and the lists.

    Raises:
        InputError: If history, targets and candidates do not fit, a list length is below 1, or the
            context lacks what a metric needs.
        ConfigError: If this process was not told of the module of a metric.
    """
    _check_shapes(history, targets, candidates)
    allowed = np.ones(history.shape[1], dtype=bool) if candidates is None else candidates
    judge = _Judge(ChosenMetrics(metrics, context), allowed, sampled)
    lists, found = [judge.nobody], [judge.of_lists(judge.nobody, targets[:0], history[:0])]
    for start in range(0, history.shape[0], batch_users):
        some = slice(start, start + batch_users)
        rows, wanted = history[some], targets[some]
        scores = score_batch(rows, *_given(some, times, users))
        best, values = judge.of_scores(scores, rows, wanted, start)
        lists.append(best)
        found.append(values)
        if on_batch is not None:
            on_batch(start + rows.shape[0])
    recommended = torch.cat(lists)
    per_user = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    return RankingResult(
        per_user=per_user,
        coverage=judge.chosen.of_all_lists(recommended, allowed),
        num_users=num_known(per_user),
        recommended=recommended.numpy(),
        sampled_negatives=None if sampled is None else sampled.number,
    )


@dataclass(frozen=True, eq=False)
class _Judge:
    """Makes lists of scores, and measures them."""

    chosen: ChosenMetrics
    candidates: NDArray[np.bool_]
    sampled: SampledNegatives | None

    @property
    def nobody(self) -> Tensor:
        return torch.empty(0, self.chosen.longest, dtype=torch.int64)

    def of_scores(
        self, scores: Tensor, history: csr_matrix, targets: csr_matrix, first: int
    ) -> tuple[Tensor, dict[str, NDArray[np.float64]]]:
        if self.sampled is not None:
            scores = self.sampled.scores(scores, history, targets, self.candidates, first)
        best = top_k_unseen(scores, history, self.chosen.longest, self.candidates)
        whole = scores if self.chosen.wants_scores else None
        return best, self.of_lists(best, targets, history, whole)

    def of_lists(
        self,
        best: Tensor,
        targets: csr_matrix,
        history: csr_matrix,
        scores: Tensor | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        given = {AUC: np.zeros(len(best))}
        if scores is not None:
            ranked = mask_seen(scores, history)
            ranked = ranked.masked_fill(torch.from_numpy(~self.candidates), -torch.inf)
            others = num_others(history, targets, self.candidates)
            if self.sampled is not None:
                others = np.minimum(others, self.sampled.number)
            given[AUC] = auc(ranked, targets, others)
        return self.chosen.per_user(best, targets, history, given)


def _given(
    some: slice, times: csr_matrix | SharedCells | None, users: Features | None
) -> list[Any]:
    """Return what a model is given besides rows: times, and features of users behind them."""
    when = None if times is None else times[some]
    if users is not None:
        return [when, users.rows(some)]
    return [] if when is None else [when]


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
