"""The validation or test part of a dataset, and how well a model does on it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recsparse.config.choices import IncludeUsers
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.evaluated.part_counts import PartCounts, part_counts
from recsparse.datasets.evaluated.whole_part import WholePart, whole_part
from recsparse.datasets.parts import EvaluationPart
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import RankingResult, evaluate_ranking
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.models.protocol.recommender import Recommender
from recsparse.stages.compared_items import ComparedItems


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


def part_to_compare(
    data: Dataset,
    name: str,
    compared: ComparedItems,
    include_users: IncludeUsers,
    one_list: bool = False,
) -> tuple[WholePart, PartCounts]:
    """Return a part of a dataset for models of any catalogue, and how much of it is evaluated.

    Args:
        data: The dataset.
        name: `validation` or `test`.
        compared: Which items count.
        include_users: Which users count.
        one_list: Whether each user has one list, made from what was done before the part.

    Returns:
        At least one user with at least one target, and the counts.

    Raises:
        InputError: If nothing is left of the part.
    """
    whole = whole_part(data, name)
    if one_list:
        whole = whole.first_lists()
    part = whole.of_users(include_users).of_targets(compared.wanted(whole.items))
    counts = part_counts(whole, part)
    if len(part.user_ids) == 0:
        raise InputError(
            f"the {name} part must have rows of --include-users {include_users} and --catalogue "
            f"{compared.catalogue}, but has none: of its {counts.rows} rows, "
            f"{counts.rows_of_unseen_users} are of users without training rows and "
            f"{counts.rows_of_unseen_items} of items without; choose others, or prepare the log "
            "with another split"
        )
    _, rankable = part.of_items(_known_to_any(part.items, compared.models))
    if compared.catalogue == "new" and rankable == 0:
        raise InputError(
            f"of --catalogue new, at least one item must be known to a model, but none of the "
            f"{counts.unseen_items} items of the {name} part without training rows is; rank them "
            "by a model that can score items without rows, and use evaluate-file"
        )
    return part, counts


def _known_to_any(items: Vocabulary, models: Sequence[Vocabulary]) -> NDArray[np.bool_]:
    known = [model.index_of(items.ids) >= 0 for model in models]
    return np.logical_or.reduce(known, axis=0)


def compared_result(
    ranked: RankingResult, part: WholePart, counts: PartCounts, known: NDArray[np.bool_]
) -> RankingResult:
    """Add to a model's metrics what they are of.

    Args:
        ranked: The metrics.
        part: The part that they are of.
        counts: How much of it is evaluated.
        known: Which items of the dataset the model can rank.

    Returns:
        The metrics with the counts.
    """
    unknown_items, unknown_rows = part.of_items(~known)
    return replace(
        ranked,
        is_new=part.is_new,
        part=counts,
        unknown_items=unknown_items,
        rows_of_unknown_items=unknown_rows,
    )


def evaluate_part(
    model: Recommender,
    part: Lists,
    metrics: Sequence[str],
    batch_users: int,
    on_batch: Callable[[int], None] | None = None,
    candidates: NDArray[np.bool_] | None = None,
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

    Returns:
        Metrics per user, the mean over the lists of each; those of ratings, where there are any,
        come first. A rating is predicted once, from what the last list with it may be made from.
    """
    ranked = evaluate_ranking(
        model.score_batch, part.history, part.targets, metrics, batch_users, on_batch, part.times,
        candidates=candidates,
    )  # fmt: skip
    ranked = ranked.by_user(part.user)
    if not model.predicts_ratings:
        return ranked
    known = part.ratings()[:, : part.history.shape[1]]
    rated = evaluate_ratings(model, part.history, known, batch_users, part.user)
    return replace(ranked, per_user={**rated.per_user, **ranked.per_user}, overall=rated.overall)
