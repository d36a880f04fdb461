"""What is in a log or a dataset: counts, sparsity, time range, long tail, cold shares."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from recsparse.config.data import LogConfig
from recsparse.datasets.dataset_folder import DESCRIPTION
from recsparse.datasets.frames import Tables, as_files
from recsparse.datasets.profiling.figures import Groups
from recsparse.datasets.profiling.log_profile import describe_log
from recsparse.datasets.reading.find_files import Paths, named
from recsparse.datasets.workspace import Resources
from recsparse.files.filesystems import holds
from recsparse.outputs.claim import Output, claim
from recsparse.outputs.job import Job
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.at_hand import at_hand
from recsparse.stages.describe_dataset import describe_dataset
from recsparse.stages.described_page import PAGE, write_page


def describe(
    paths: Tables,
    config: LogConfig | None = None,
    html: str | Path | None = None,
    resources: Resources | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
) -> Groups:
    """Return figures that tell what a log or a dataset holds; its rows are never all in memory.

    Args:
        paths: A dataset folder, or what `prepare` takes as logs: files and frames.
        config: How to read a log.
        html: A file to write the figures to, with pictures.
        resources: What may be used; temporary files go to the system's folder unless it names one.
        reporter: Shows the progress.
        overwrite: Replace a page on something else, or one of an older state of it.

    Returns:
        Names and values by group, ready for JSON.

    Raises:
        MissingFileError: If there is nothing at a path.
        SchemaError: If a log lacks a column.
        InputError: If a file is damaged, or a log has no rows; rows that are all bad are described.
        OutputError: If the disk is full, or the page must not be written at its place.
    """
    config, resources = config or LogConfig(), resources or Resources()
    with as_files(resources.spill, paths=paths) as (given,):
        job = Job.of("describe", [given], config.model_dump())
        claimed = nullcontext() if html is None else claim(html, PAGE, job, overwrite, (), reporter)
        with claimed as output:
            return _describe(given, config, output, resources, reporter)


def _describe(
    paths: Paths,
    config: LogConfig,
    output: Output | None,
    resources: Resources,
    reporter: Reporter,
) -> Groups:
    folder = _dataset_folder(paths, reporter)
    if folder is None:
        found, figures = describe_log(paths, config, resources, reporter)
    else:
        found, figures = describe_dataset(folder, reporter)
    source = {"kind": "log" if folder is None else "dataset", "path": named(paths)}
    groups = {"source": source, **found}
    if output is not None:
        with reporter.task("drawing the page"):
            write_page(output, f"What is in {source['path']}", groups, figures())
    return groups


def _dataset_folder(paths: Paths, reporter: Reporter) -> Path | None:
    given: Sequence[str | Path] = [paths] if isinstance(paths, (str, Path)) else paths
    if len(given) != 1 or not holds(given[0], DESCRIPTION):
        return None
    return at_hand(given[0], reporter)
