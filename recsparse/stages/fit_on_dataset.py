"""Fitting a model on a dataset's parts, and how well it does on the validation part."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from torch import Tensor

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.datasets.parts import EvaluationPart
from recsparse.evaluation.rank_catalogue import RankingResult, evaluate_ranking
from recsparse.evaluation.ratings import evaluate_ratings
from recsparse.grids.bag_tensor import bags_to_tensor
from recsparse.metrics.ranking_metrics import length_of
from recsparse.models.protocol.recommender import Recommender, Validation
from recsparse.models.registry import build_model
from recsparse.sparse.tensor import SparseTensor
from recsparse.stages.rank_part import evaluate_part, part_to_rank, require_rating_weights
from recsparse.training.fit import fit_model
from recsparse.training.plan import FitPlan

# Users × items that are ranked after each epoch; what is reported is of all users.
MOST_VALIDATION_SCORES = 100_000_000


def fit_on(data: Dataset, config: Config, plan: FitPlan) -> Recommender:
    """Fit the configured model on a dataset's training part.

    Args:
        data: The dataset.
        config: The model and how to validate it.
        plan: How to train.

    Returns:
        The fitted model.
    """
    metric = config.evaluation.select_by
    with plan.reporter.task("laying out the rows"):
        part = _sampled(part_to_rank(data, "validation"), config.seed)
        rows, item_words = rows_to_fit(data), _item_words(data)

    def quality(scores: Tensor, history: csr_matrix, targets: csr_matrix) -> np.ndarray:
        ranked = evaluate_ranking(
            lambda *_: scores, history, targets, [length_of(metric)], max(len(scores), 1)
        )
        return ranked.per_user[metric]

    def score(model: Recommender) -> float:
        if model.predicts_ratings:
            batch_users = config.evaluation.batch_users
            rated = evaluate_ratings(model, part.history, part.targets, batch_users)
            return -rated.overall["rmse"]
        return validate(model, part, config).mean()[metric]

    model = build_model(config.model)
    if model.predicts_ratings:
        require_rating_weights(data)
    return fit_model(
        model,
        rows.interactions,
        plan,
        validate=score,
        item_words=item_words,
        times=rows.times,
        validation=Validation(
            part.history, part.targets, part.times, quality, data.config.split.looks_ahead
        ),
    )


def refit_on(data: Dataset, fitted: Recommender, plan: FitPlan) -> Recommender:
    """Fit a model again, on a dataset's training and validation parts.

    Args:
        data: The dataset.
        fitted: The model as it was fitted on the training part, with the epochs and weights that
            validation chose.
        plan: How to train.

    Returns:
        A model of the same epochs and weights.
    """
    with plan.reporter.task("laying out the rows of training and validation"):
        rows, item_words = rows_to_fit(data, with_validation=True), _item_words(data)
    model = build_model(fitted.settled())
    fit_model(model, rows.interactions, plan, item_words=item_words, times=rows.times)
    # What goes on from it shall choose anew.
    model.config = fitted.config
    return model


def _item_words(data: Dataset) -> SparseTensor | None:
    return None if data.item_bags is None else bags_to_tensor(data.item_bags)


def _sampled(part: EvaluationPart, seed: int) -> EvaluationPart:
    """Leave as many users as can be ranked for after every epoch."""
    num_users, num_items = part.history.shape
    most = max(1, MOST_VALIDATION_SCORES // max(num_items, 1))
    if num_users <= most:
        return part
    rows = np.sort(np.random.default_rng(seed).choice(num_users, most, replace=False))
    return EvaluationPart(
        part.user_ids.take(pa.array(rows)),
        part.history[rows],
        part.targets[rows],
        None if part.times is None else part.times[rows],
    )


def validate(
    model: Recommender,
    part: EvaluationPart,
    config: Config,
    on_batch: Callable[[int], None] | None = None,
) -> RankingResult:
    """Rank the full catalogue for the validation part; a model of ratings predicts theirs, too.

    Args:
        model: A fitted model.
        part: The validation part.
        config: List lengths and users a batch.
        on_batch: Called with the number of users done.

    Returns:
        Metrics a user.
    """
    ks = sorted({*config.evaluation.k, length_of(config.evaluation.select_by)})
    return evaluate_part(model, Lists.of_part(part), ks, config.evaluation.batch_users, on_batch)
