"""A configured model fitted on a dataset, with all that is said of it."""

import time
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from recsparse.config.config import Config
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.fit_rows import FitRows, rows_to_fit, with_new_items
from recsparse.datasets.matrices import taller
from recsparse.datasets.parts import EvaluationPart
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.models.protocol.fit_context import FitContext
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.scoring.item_table import ItemTable
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory
from recsparse.stages.features_read import FeaturesRead, features_read, warn_of_unread
from recsparse.stages.fit_on_dataset import fit_on, refit_on, validate
from recsparse.stages.new_items import NewItems, new_items_of
from recsparse.stages.user_features import known_users, user_features


class Fitted(NamedTuple):
    """A model, how it does on validation, and the configuration that fits it without one."""

    trained: TrainedModel
    validation: dict[str, float]
    settled: Config
    seconds: float
    features: FeaturesRead
    new_items: NewItems | None


def fitted_on(
    data: Dataset, rows: FitRows, part: EvaluationPart, config: Config, context: FitContext
) -> Fitted:
    """Fit the configured model, validate it, and fit it again where that is wanted.

    Args:
        data: The dataset.
        rows: Its training rows.
        part: Its validation part.
        config: The model, and how to train and evaluate.
        context: What else the fit uses.

    Returns:
        The model, and what is said of it.
    """
    started, reporter = time.perf_counter(), context.reporter
    model = fit_on(rows, config, context)
    new_items = new_items_of(data, rows, model, config, context)
    settled = config.model_copy(update={"model": model.settled(), "refit": False})
    with reporter.task("validating the model", len(part.user_ids)) as advance:
        validation = validate(model, data, part, config, advance).mean()
    if config.refit:
        with reporter.task("laying out the rows of training and validation"):
            rows = rows_to_fit(data, with_validation=True)
        context = replace(context, user_features=user_features(data, rows.users.ids))
        model = refit_on(rows, model, context)
    seconds = time.perf_counter() - started
    read = features_read(model, context.item_features, context.user_features)
    warn_of_unread(read, data)
    trained = _trained(data, rows, model, new_items, config.refit)
    return Fitted(trained, validation, settled, seconds, read, new_items)


def _trained(
    data: Dataset,
    rows: FitRows,
    model: FittedModel,
    new_items: NewItems | None,
    is_refit: bool,
) -> TrainedModel:
    items, base = data.items, model
    if new_items is not None:
        rows = with_new_items(data, rows, new_items.index, is_refit)
        items = Vocabulary(pa.concat_arrays([items.ids, data.item_ids(new_items.index)]))
        model = new_items.added_to(model)
    settings = DataSettings.of(data.config, data.counts)
    users, features = known_users(data, rows.users, base)
    history, times = taller(rows.interactions, len(users)), rows.times
    times = None if times is None else taller(times, len(users))
    table = None if new_items is None else _item_table(data)
    known = RowsInMemory(history, times)
    return TrainedModel(model, users, items, known, settings, features, table)


def _item_table(data: Dataset) -> ItemTable | None:
    fitted = data.fitted_item_features
    return None if fitted is None else ItemTable.of(fitted)
