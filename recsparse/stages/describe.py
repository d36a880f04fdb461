"""What is in a log or a dataset: counts, sparsity, time range, long tail, cold shares."""

from collections.abc import Sequence
from pathlib import Path

from recsparse.addresses import local_path
from recsparse.data_config import LogConfig
from recsparse.datasets.dataset_folder import DESCRIPTION
from recsparse.datasets.files import Paths, named
from recsparse.datasets.profiling.profile_figures import Groups
from recsparse.datasets.workspace import Resources
from recsparse.filesystems import fetched, holds
from recsparse.reporting import SILENT, Reporter
from recsparse.stages.describe_dataset import describe_dataset
from recsparse.stages.describe_log import describe_log
from recsparse.stages.page import write_page


def describe(
    paths: Paths,
    config: LogConfig | None = None,
    html: str | Path | None = None,
    resources: Resources | None = None,
    reporter: Reporter = SILENT,
) -> Groups:
    """Return figures that tell what a log or a dataset holds; its rows are never all in memory.

    Args:
        paths: A dataset folder, or what `prepare` takes as logs.
        config: How to read a log.
        html: A file to write the figures to, with pictures.
        resources: What may be used; temporary files go to the system's folder unless it names one.
        reporter: Shows the progress.

    Returns:
        Names and values by group, ready for JSON.

    Raises:
        MissingFileError: If there is nothing at a path.
        SchemaError: If a log lacks a column.
        InputError: If a file is damaged, or a log has no rows; rows that are all bad are described.
        OutputError: If the disk is full.
    """
    folder = _dataset_folder(paths)
    if folder is None:
        found, figures = describe_log(
            paths, config or LogConfig(), resources or Resources(), reporter
        )
    else:
        found, figures = describe_dataset(folder, reporter)
    source = {"kind": "log" if folder is None else "dataset", "path": named(paths)}
    groups = {"source": source, **found}
    if html is not None:
        write_page(local_path(html), f"What is in {source['path']}", groups, figures())
    return groups


def _dataset_folder(paths: Paths) -> Path | None:
    given: Sequence[str | Path] = [paths] if isinstance(paths, (str, Path)) else paths
    if len(given) != 1 or not holds(given[0], DESCRIPTION):
        return None
    return fetched(given[0])
