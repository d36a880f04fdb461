"""Histories of users read from a log, weighed as a model's training rows were."""

import logging

import pyarrow as pa

from recsparse.config.data import LogConfig
from recsparse.datasets.ageing import aged_weights
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.interaction_log import InteractionLog
from recsparse.datasets.reading.find_files import Paths, named
from recsparse.datasets.reading.log_files import NO_OTHERS, OtherIds
from recsparse.datasets.reading.tables import open_dataset
from recsparse.datasets.schema import TIMESTAMP, WEIGHT
from recsparse.errors import InputError

logger = logging.getLogger(__name__)


def read_history(
    paths: Paths,
    settings: DataSettings,
    given: LogConfig | None = None,
    in_order: bool = False,
    ids: OtherIds = NO_OTHERS,
) -> pa.Table:
    """Read a log by the settings of a dataset, but for those that are given.

    The rows weigh what they would weigh in the dataset: by their event, their age before the last
    training second, and their duplicates. The k-core is not taken: a user may have any number of
    rows. Where the dataset's own condition `where` leaves rows out, a warning says so.

    Args:
        paths: One or several files or folders.
        settings: Those of the dataset.
        given: Settings that were set in it win, key by key.
        in_order: The model uses times: where no row has one, rows later in the files are later,
            with a warning.
        ids: The types of the model's ids.

    Returns:
        Columns `user_id`, `item_id`, `weight`, `timestamp`, `rating`, one row per user and item
        unless duplicates are kept.

    Raises:
        InputError: If no row is left, or the log breaks a rule.
        SchemaError: If a column is missing or of a wrong type.
    """
    given = given or LogConfig()
    config = settings.log_with(given)
    try:
        log = InteractionLog.read(paths, config, in_order, ids)
    except InputError as error:
        inherited = _inherited(config, given)
        if not inherited:
            raise
        raise InputError(
            f"{error}; the history is read as the dataset of the model was, by {inherited}: give "
            "another value where that is wrong"
        ) from error
    _warn_of_condition(paths, config, given, log.counts.rows_read)
    if in_order and not log.is_timed:
        logger.warning(
            "no row of the history %s has a time in the column %r, so rows later in it are taken "
            "as later; name the column of times by log.timestamp_column",
            named(paths),
            config.timestamp_column,
        )
    if not log.is_timed:
        return log.table
    weights = aged_weights(
        log.table[WEIGHT].to_numpy(),
        log.table[TIMESTAMP],
        settings.last_training_second,
        config.half_life_days,
    )
    place = log.table.schema.get_field_index(WEIGHT)
    return log.table.set_column(place, log.table.schema.field(place), pa.array(weights))


def _inherited(config: LogConfig, given: LogConfig) -> str:
    """Return the settings that come from the dataset and are no defaults, as a phrase."""
    default = LogConfig()
    return ", ".join(
        f"log.{name} = {value!r}"
        for name, value in config
        if name not in given.model_fields_set and value != getattr(default, name)
    )


def _warn_of_condition(paths: Paths, config: LogConfig, given: LogConfig, rows_read: int) -> None:
    if config.where is None or "where" in given.model_fields_set:
        return
    left_out = open_dataset(paths).count_rows() - rows_read
    if left_out:
        logger.warning(
            "%d rows of the history %s are left out, since the dataset of the model was read by "
            "log.where = %r; give another condition where that is wrong, or an empty one",
            left_out,
            named(paths),
            config.where,
        )
