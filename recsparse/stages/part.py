"""The validation or test part of a dataset, and how well a model does on it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from recsparse.datasets.dataset import Dataset, EvaluationPart
from recsparse.datasets.schema import WEIGHT
from recsparse.errors import InputError
from recsparse.evaluation.evaluate import RankingResult, evaluate_ranking
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.models.base import Recommender


def part_to_rank(data: Dataset, name: str) -> EvaluationPart:
    """Return a part of a dataset.

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
        raise InputError(
            f"the {name} part must have users and items that training knows, but of its "
            f"{data.counts[f'{name}_rows']} rows none has both; prepare the log with another split"
        )
    return part


def evaluate_part(
    model: Recommender,
    part: EvaluationPart,
    ks: Sequence[int],
    batch_users: int,
    on_batch: Callable[[int], None] | None = None,
) -> RankingResult:
    """Rank the full catalogue for the users of a part and, with a model of ratings, predict theirs.

    Args:
        model: A fitted model.
        part: Histories and targets.
        ks: List lengths.
        batch_users: Users scored at a time.
        on_batch: Called with the number of users done.

    Returns:
        Metrics a user; those of ratings, where there are any, come first.
    """
    ranked = evaluate_ranking(
        model.score_batch, part.history, part.targets, ks, batch_users, on_batch, part.times
    )
    if not model.predicts_ratings:
        return ranked
    rated = evaluate_ratings(model, part.history, part.targets, batch_users)
    return replace(ranked, per_user={**rated.per_user, **ranked.per_user}, overall=rated.overall)


def check_ratings(data: Dataset) -> None:
    """Refuse a dataset whose weights are no ratings.

    Args:
        data: The dataset.

    Raises:
        InputError: If all weights are equal, or rows were weighed by their age or added up.
    """
    log, weights = data.config.get("log", {}), data.split.train[WEIGHT].to_numpy()
    cause = None
    if len(weights) and (weights == weights[0]).all():
        cause = f"all of them are {weights[0]:g}"
    elif log.get("half_life_days") is not None:
        cause = "log.half_life_days makes old ones smaller"
    elif log.get("duplicates", "last") != "last":
        cause = f"log.duplicates = {log['duplicates']!r} adds those of one user and item up"
    if cause is not None:
        raise InputError(
            f"the weights of the log must be ratings for a model of ratings, but {cause}; prepare "
            "the log with --set log.weight_column=rating, or whatever the column of ratings is "
            "called, and without log.half_life_days and log.duplicates"
        )
