"""What scores start from in the place of a model's own training rows: a dataset, a log."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from recsparse.config.data import LogConfig
from recsparse.datasets.frames import Tables, as_files
from recsparse.datasets.history_log import read_history
from recsparse.datasets.reading.log_files import OtherIds
from recsparse.datasets.rows_of_parts import rows_of_parts
from recsparse.reporting.progress import Reporter
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.data import load_data


def with_dataset(
    trained: TrainedModel, dataset: str | Path, parts: Collection[str], reporter: Reporter
) -> TrainedModel:
    """Return a model that starts from rows of a dataset.

    Args:
        trained: The model.
        dataset: A dataset folder, or its address; its rows replace what is known of their users.
        parts: Those of its parts that are taken.
        reporter: Shows the progress.

    Returns:
        The model.

    Raises:
        MissingFileError: If there is no such dataset.
        InputError: If it is no dataset, or damaged, or a part is none.
    """
    data = load_data(dataset, reporter)
    with reporter.task("taking histories from the dataset"):
        return trained.with_history(rows_of_parts(data, parts))


def with_log(
    trained: TrainedModel, log: Tables, given: LogConfig, reporter: Reporter
) -> tuple[TrainedModel, pa.Array]:
    """Return a model that starts from the rows of a log.

    Args:
        trained: The model.
        log: Files or a frame, whose rows replace what is known of its users, who may be new.
        given: How to read it: what is set wins over the settings of the model's dataset.
        reporter: Shows the progress.

    Returns:
        The model, and the ids of the log's users.

    Raises:
        InputError: If no row is left, or the log breaks a rule.
        SchemaError: If a column is missing or of a wrong type.
    """
    with reporter.task("reading the history"), as_files(history=log) as (files,):
        ids = OtherIds(trained.users.ids.type, trained.items.ids.type, decide=True)
        in_order = trained.rows.is_timed
        rows = read_history(files, trained.data, given, in_order, ids)
        return trained.with_history(rows), rows["user_id"].unique()
