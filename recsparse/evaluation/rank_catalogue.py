"""Evaluation over the full catalogue: scores, masks, lists, metrics per user."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.datasets.evaluated.lists import SharedCells
from recsparse.errors import InputError
from recsparse.evaluation.ranking_result import RankingResult, num_known
from recsparse.metrics.chosen_metrics import ChosenMetrics
from recsparse.metrics.top_k import mask_seen, top_k
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
        num_users=num_known(per_user),
        recommended=recommended.numpy(),
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
