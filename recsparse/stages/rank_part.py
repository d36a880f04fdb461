"""The validation or test part of a dataset, and how well a model does on it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.parts import EvaluationPart
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.metrics.list_context import ListContext
from recsparse.metrics.sampled_negatives import SampledNegatives
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.user_reader import scores_of
from recsparse.scoring.user_scores import scores_or_popularity


def part_to_rank(data: Dataset, name: str) -> EvaluationPart:
    """Return what training knows of a part: users with a history, and items of the catalogue.

    Args:
        data: The dataset.
        name: `validation` or `test`.

    Returns:
        At least one user with at least one target.

    Raises:
        InputError: If the part has no user and item that training knows.
    """
    part = data.evaluation_part(name)
    if len(part.user_ids) == 0:
        split = data.config.split
        cure = "another split"
        if split.kind == "held_out_items":
            cure = f"more split.known_targets than {split.known_targets:g}, such as 0.1"
        raise InputError(
            f"the {name} part must have users and items that training knows, but of its "
            f"{data.counts[f'{name}_rows']} rows none has both; prepare the log with {cure}"
        )
    return part


def evaluate_part(  # noqa: PLR0913 (one parameter per option)
    model: FittedModel,
    part: Lists,
    metrics: Sequence[str],
    batch_users: int,
    on_batch: Callable[[int], None] | None = None,
    candidates: NDArray[np.bool_] | None = None,
    users: Features | None = None,
    popularity: NDArray[np.float32] | None = None,
    context: ListContext | None = None,
    sampled: SampledNegatives | None = None,
) -> RankingResult:
    """Rank the full catalogue for the users of a part and, with a model of ratings, predict theirs.

    Args:
        model: A fitted model.
        part: Histories and targets of the lists.
        metrics: What to measure, as in `ndcg@10`.
        batch_users: Lists scored at a time.
        on_batch: Called with the number of lists done.
        candidates: Which items of the model may be in the lists, as `evaluate_ranking` takes it;
            of targets that the model does not know, no rating is predicted.
        users: Features of the users of the part, one row for each; None where none are known.
        popularity: The share of each item, by which users without a history are ranked for of whom
            the model knows nothing; None leaves them to the model.
        context: What is known of the items, for metrics that need it.
        sampled: Ranks targets among some random items; None ranks the whole catalogue.

    Returns:
        Metrics per user, the mean over the lists of each; those of ratings, where there are any,
        come first. A rating is predicted once, from what the last list with it may be made from.
    """
    score = partial(scores_of, model)
    if popularity is not None:
        score = partial(scores_or_popularity, model, popularity)
    ranked = evaluate_ranking(
        score, part.history, part.targets, metrics, batch_users, on_batch,
        part.times, candidates=candidates, users=None if users is None else users.rows(part.user),
        context=context, sampled=sampled,
    )  # fmt: skip
    ranked = ranked.by_user(part.user)
    if not model.predicts_ratings:
        return ranked
    known = part.ratings()[:, : part.history.shape[1]]
    rated = evaluate_ratings(model, part.history, known, batch_users, part.user)
    return replace(ranked, per_user={**rated.per_user, **ranked.per_user}, overall=rated.overall)
