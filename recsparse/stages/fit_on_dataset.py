"""Fitting a model on a dataset's parts, and how well it does on the validation part."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.fit_rows import FitRows
from recsparse.datasets.parts import EvaluationPart
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.validation import Validation
from recsparse.models.registry import build_model
from recsparse.stages.item_features import item_features
from recsparse.stages.list_context import list_context, sampled_negatives
from recsparse.stages.rank_part import evaluate_part
from recsparse.stages.user_features import user_features
from recsparse.training.fit import fit_model

# Users × items that are ranked after each epoch; what is reported is of all users.
MOST_VALIDATION_SCORES = 100_000_000


def fit_context(data: Dataset, rows: FitRows, part: EvaluationPart, config: Config) -> FitContext:
    """Return what models of a dataset are fitted with, and judged by on its validation part.

    Args:
        data: The dataset.
        rows: What is fitted on, laid out.
        part: The validation part, of which the judgement takes as many users as can be ranked for
            after every epoch.
        config: How to train and what to choose by.

    Returns:
        A context without checkpoints and without a reporter.
    """
    users = _judging_users(part, config.seed)
    of_part = user_features(data, part.user_ids)
    validation = Validation(
        part.history[users],
        part.targets[users],
        None if part.times is None else part.times[users],
        config.evaluation.select_by,
        data.config.split.looks_ahead,
        config.evaluation.batch_users,
        None if of_part is None else of_part.rows(users),
    )
    return FitContext(
        training=config.training,
        seed=config.seed,
        times=rows.times,
        item_features=item_features(data),
        user_features=user_features(data, rows.users.ids),
        validation=validation,
    )


def fit_on(rows: FitRows, config: Config, context: FitContext) -> Recommender:
    """Fit the configured model on the rows of a dataset.

    Args:
        rows: The dataset's training rows.
        config: The model, of whose needs the dataset lacks none.
        context: What else the fit uses, as `fit_context` returned it.

    Returns:
        The fitted model.
    """
    return fit_model(build_model(config.model), rows.interactions, context)


def refit_on(rows: FitRows, fitted: Recommender, context: FitContext) -> Recommender:
    """Fit a model again, on the rows of training and validation.

    Args:
        rows: Those rows.
        fitted: The model as it was fitted on the training part, with the epochs and weights that
            validation chose.
        context: What it was fitted with.

    Returns:
        A model of the same epochs and weights.
    """
    folder = None if context.checkpoints is None else context.checkpoints / "refit"
    again = replace(context, times=rows.times, validation=None, checkpoints=folder, on_epoch=None)
    model = fit_model(build_model(fitted.settled()), rows.interactions, again)
    # What continues from it chooses anew.
    model.config = fitted.config
    return model


def _judging_users(part: EvaluationPart, seed: int) -> slice | np.ndarray:
    num_users, num_items = part.history.shape
    most = max(1, MOST_VALIDATION_SCORES // max(num_items, 1))
    if num_users <= most:
        return slice(None)
    return np.sort(np.random.default_rng(seed).choice(num_users, most, replace=False))


def validate(
    model: Recommender,
    data: Dataset,
    part: EvaluationPart,
    config: Config,
    on_batch: Callable[[int], None] | None = None,
) -> RankingResult:
    """Rank the full catalogue for the validation part; a model of ratings predicts theirs, too.

    Args:
        model: A fitted model.
        data: The dataset, which knows the features of the users.
        part: Its validation part.
        config: Metrics and users per batch.
        on_batch: Called with the number of users done.

    Returns:
        Metrics per user.
    """
    options = config.evaluation
    metrics = [*options.metrics, options.select_by]
    lists, users = Lists.of_part(part), user_features(data, part.user_ids)
    return evaluate_part(
        model, lists, metrics, options.batch_users, on_batch, users=users,
        context=list_context(data, data.items, metrics), sampled=sampled_negatives(config),
    )  # fmt: skip
