"""The first stage: logs become a dataset folder."""

import logging
from dataclasses import replace
from pathlib import Path

from recsparse.config.config import Config
from recsparse.config.toml_reader import parse_config
from recsparse.datasets.building.build import build_dataset
from recsparse.datasets.building.intake_settings import contradictions, log_of_intake
from recsparse.datasets.building.sources import FileSources, Sources
from recsparse.datasets.building.split import split_of
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.dataset_folder import read_dataset_description
from recsparse.datasets.frames import Table, Tables
from recsparse.datasets.workspace import Resources
from recsparse.errors import InputError, MissingFileError
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.at_hand import at_hand
from recsparse.stages.data import load_data

logger = logging.getLogger(__name__)


def prepare(
    logs: Tables | Sources,
    out: str | Path,
    items: Table | None = None,
    config: Config | None = None,
    reporter: Reporter = SILENT,
    resources: Resources | None = None,
    overwrite: bool = True,
) -> Dataset:
    """Check a log, split it, fit vocabularies, orders and bags of words, and write a dataset.

    Everything that is fitted sees the training rows only. The log is never in memory as a whole; a
    frame, which is, is read from a copy in a temporary file.

    Args:
        logs: Files, folders, globs or addresses of interactions, a frame of pandas, Polars or
            Arrow, a list of such, or all sources by name.
        out: The dataset folder to write.
        items: A table of items with text columns, a file or a frame, unless `logs` names all
            sources.
        config: Sections `log`, `split`, `text`, `features` and `order`; for an appended dataset
            its own, which another one must not contradict, but for how the new log is read: names
            of columns, condition, strictness, and weights of further events.
        reporter: Shows the progress.
        resources: What may be used; no result depends on it.
        overwrite: Replace a dataset that was made from other sources or settings, for which the
            command line wants to be asked; what is no dataset of ours is refused either way.

    Returns:
        The dataset as written.

    Raises:
        InputError: If a log breaks a rule; nothing is written then.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
    """
    given = logs if isinstance(logs, Sources) else Sources(logs=logs, items=items)
    resources = resources or Resources()
    with given.in_files(resources.spill) as sources:
        if not isinstance(sources.logs, (str, Path)) and not sources.logs:
            raise InputError("prepare needs at least one log, but got none")
        sources = _at_hand(sources, reporter)
        config = _config(sources, config)
        if (sources.validation or sources.test) and not split_of(config.split).parts_in_log:
            split = config.split.model_copy(update={"kind": "given"})
            config = config.model_copy(update={"split": split})
        build_dataset(sources, out, config, resources, reporter, overwrite)
    return load_data(out, reporter, check=False)


def _at_hand(sources: FileSources, reporter: Reporter) -> FileSources:
    # Datasets are read file by file; logs and tables are read where they lie.
    return replace(
        sources,
        append_to=_found(sources.append_to, "append to", "--append", reporter),
        ids_from=_found(sources.ids_from, "take ids from", "--ids-from", reporter),
    )


def _found(folder: str | Path | None, use: str, option: str, reporter: Reporter) -> Path | None:
    if folder is None:
        return None
    try:
        found = at_hand(folder, reporter)
        read_dataset_description(found)
    except MissingFileError as error:
        raise MissingFileError(
            f"the dataset to {use} must be a folder, but there is none at {folder}; leave {option} "
            "out to make the first one, or name the right one"
        ) from error
    return found


def _config(sources: FileSources, config: Config | None) -> Config:
    # A dataset that is appended to brings its own, but for how the new log is to be read.
    if sources.append_to is None:
        return config or Config()
    own, given = _own_config(Path(sources.append_to)), config or Config()
    by_files = bool(sources.validation or sources.test)
    differing = contradictions(own, given)
    if by_files and not split_of(own.split).parts_in_log:
        differing.append("split.kind")
    if differing:
        raise InputError(
            f"a dataset is appended to with its own settings, but {', '.join(differing)} differ "
            f"from those of {sources.append_to}; leave them out, or prepare everything anew"
        )
    log = log_of_intake(own.log, given.log)
    if own.log.where is not None and log.where is None:
        logger.warning(
            "rows were taken into %s by log.where = %r the last time, but all rows are now; give "
            "the condition again where that is wrong",
            sources.append_to,
            own.log.where,
        )
    return own.model_copy(update={"log": log})


def _own_config(dataset: Path) -> Config:
    return parse_config(read_dataset_description(dataset)["config"], source=str(dataset))
