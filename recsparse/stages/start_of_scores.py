"""What jobs that score have in common: the model, what it starts from, an output that is free."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsparse.config.data import LogConfig
from recsparse.datasets.frames import Tables, as_files, is_frame, paths_among
from recsparse.datasets.id_types import ids_of
from recsparse.datasets.parts import PARTS
from recsparse.errors import InputError
from recsparse.files.addresses import folder_of, last_name
from recsparse.outputs.claim import require_replaceable
from recsparse.outputs.job import Job
from recsparse.outputs.places import local_place
from recsparse.reporting.progress import Reporter
from recsparse.scoring.batch import read_ids
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.more_new_items import with_table_of_items
from recsparse.scoring.stamp import ScoresKind
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.load import locate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HistoryOptions:
    """What scores start from in the place of a model's own training rows.

    Attributes:
        dataset: Rows of this dataset replace what is known of their users.
        parts: Those of `train`, `validation` and `test` that are taken of it; an offline list for
            the test starts from `("train", "validation")`.
        history: A log, files or frames, whose rows replace what is known of its users, who may be
            new.
        log: How to read it: what is set here wins over the settings of the model's dataset.
        new_items: A table of items that came after the training, files or a frame as `prepare`
            takes it; they are ranked by their features.
    """

    dataset: str | Path | None = None
    parts: tuple[str, ...] = PARTS
    history: Tables | None = None
    log: LogConfig = field(default_factory=LogConfig)
    new_items: Tables | None = None

    def __post_init__(self) -> None:
        """Refuse parts of no dataset.

        Raises:
            InputError: If parts are chosen, but no dataset is named.
        """
        if self.dataset is None and set(self.parts) != set(PARTS):
            raise InputError(
                f"the parts {', '.join(self.parts)} are those of a dataset, but none is given; "
                "name it by --dataset"
            )


def parts_named(text: str | None) -> tuple[str, ...]:
    """Return the parts that a text names.

    Args:
        text: Names by commas; None names all.

    Returns:
        The names, not checked.

    Example:
        >>> parts_named("train, validation")
        ('train', 'validation')
    """
    if text is None:
        return PARTS
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def named_ids(
    named: Any, are_ids: bool, column: str, kind: pa.DataType, reporter: Reporter
) -> pa.Array:
    """Return ids that are given one by one, or in a table.

    Args:
        named: Ids, or files or a frame with a column of them.
        are_ids: Whether a list is one of ids, and not of files.
        column: Of the ids, such as `user_id`.
        kind: The type of the model's ids.
        reporter: Shows the reading of files.

    Returns:
        The distinct ids, in the order of first appearance.

    Raises:
        SchemaError: If the table has no such column.
    """
    what = f"{column.removesuffix('_id')}s"
    if are_ids and not (is_frame(named) and hasattr(named, "columns")):
        return ids_of(named, what).unique()
    with reporter.task(f"reading the {what}"), as_files(**{what: named}) as (paths,):
        return read_ids(paths, column, kind)


def early_checked(
    out: str | Path,
    model: str | Path,
    start: HistoryOptions,
    table: Any,
    reporter: Reporter,
) -> tuple[Path, tuple[str | Path, ...]]:
    """Look whether the output may be written, before anything is loaded.

    Args:
        out: The output.
        model: A model folder or an MLflow address.
        start: What scores start from.
        table: Files or a frame that the job reads besides.
        reporter: Shows how the model is fetched.

    Returns:
        The model's folder, and all that the job reads.

    Raises:
        OutputError: If the output is an input, or not ours to replace.
    """
    kind = ScoresKind.named(Path(last_name(out)), local_place(out))
    files = [*paths_among(table), *paths_among(start.history), *paths_among(start.new_items)]
    others = Job.reading("", "", [*files, start.dataset])
    folder = locate(model, folder_of(out), reporter)
    inputs: tuple[str | Path, ...] = (folder, *others.inputs, *others.addresses)
    # Which job wrote it is known later, when the model is loaded.
    require_replaceable(out, kind, inputs)
    return folder, inputs


def loaded(
    folder: Path, start: HistoryOptions, reporter: Reporter
) -> tuple[TrainedModel, pa.Array | None]:
    """Load a model with what it starts from.

    Args:
        folder: Of the model.
        start: What scores start from.
        reporter: Shows the progress.

    Returns:
        The model, and the users of the history.

    Raises:
        InputError: If there are new items, but the model ranks none.
    """
    with reporter.task("loading the model"):
        trained = load_model(folder)
    if start.new_items is not None:
        with reporter.task("taking in new items"):
            trained, count = with_table_of_items(trained, start.new_items)
        logger.warning("new items: %s", count)
    if start.dataset is None and start.history is None:
        return trained, None
    # Imported here, with all that reads logs and datasets: most jobs start from the model alone.
    from recsparse.stages.histories import with_dataset, with_log

    if start.dataset is not None:
        trained = with_dataset(trained, start.dataset, start.parts, reporter)
    if start.history is None:
        return trained, None
    return with_log(trained, start.history, start.log, reporter)
