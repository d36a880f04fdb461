"""Backtests: models fitted again and again on windows of one log, or on folds, and compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from recsparse.config.config import Config
from recsparse.datasets.building.sources import FileSources, Sources
from recsparse.datasets.frames import Tables
from recsparse.datasets.workspace import Resources
from recsparse.errors import InputError
from recsparse.files.addresses import folder_of
from recsparse.files.atomic import remove_or_warn
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.backtesting.cells import ENDING, Cells
from recsparse.stages.backtesting.models import models_of
from recsparse.stages.backtesting.plan import BacktestSplit, folds, windows
from recsparse.stages.backtesting.report import BACKTEST, write_backtest
from recsparse.stages.backtesting.result import BacktestResult
from recsparse.stages.backtesting.runs import record_backtest
from recsparse.stages.backtesting.times import log_times
from recsparse.stages.backtesting.work import BacktestWork
from recsparse.tracking.open_run import start_run
from recsparse.tracking.run_name import run_name
from recsparse.tracking.store import tracking_uri
from recsparse.training.resumption import keep_run, kept_run

_DATASETS = "datasets"
# Of the configuration, what changes no figure.
_UNREAD = ("tracking", "promotion", "tuning")


def backtest(  # noqa: PLR0913
    logs: Tables | Sources,
    models: Sequence[str | Path] | Mapping[str, Config],
    out: str | Path,
    config: Config | None = None,
    reporter: Reporter = SILENT,
    resources: Resources | None = None,
    overwrite: bool = True,
    keep: bool = False,
) -> BacktestResult:
    """Fit models on windows of one log, or on folds, rank each test part, and compare them.

    Each split is prepared once and shared by all models; its dataset is removed when they are done.
    Nothing of a window, nor of its gap, is in what its models are fitted on. A killed backtest goes
    on where it stopped, with the same result.

    Args:
        logs: Files, folders, globs or addresses of interactions, a frame, a list of such, or a log
            with its tables of items and users as `Sources`.
        models: Kinds, such as `ease`, and TOML files; or configurations by name. The others are
            compared with the first.
        out: Folder for the tables, the picture and the page.
        config: Section `backtest`; those that datasets are prepared with, those of all models,
            `evaluation`, `tracking`, and the first seed.
        reporter: Shows the progress.
        resources: What the preparation may use.
        overwrite: Replace a backtest of another log, other models or settings, finished or not.
        keep: Keep the datasets, in the folder `datasets` of the output.

    Returns:
        The figures.

    Raises:
        InputError: If the log has rows without times or windows do not fit into it, a split has too
            few rows, a model needs what the log lacks, or models share a name; the error names the
            split.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
        StoreError: If the MLflow store cannot be reached or written; nothing is fitted then.
    """
    config = config or Config()
    given = logs if isinstance(logs, Sources) else Sources(logs=logs)
    resources = resources or Resources()
    _check(given, config)
    named = models_of(models, config)
    with given.in_files(resources.spill) as sources:
        settings = (
            config.model_dump(exclude={*_UNREAD}),
            {name: own.model_dump(exclude={*_UNREAD}) for name, own in named.items()},
            keep,
        )
        job = Job.of("backtest", sources.tables(), settings)
        with claim(out, BACKTEST, job, overwrite, (ENDING,), reporter) as output:
            splits = _splits(sources, config, reporter)
            cells = Cells(output, overwrite)
            work = BacktestWork(sources, named, cells, reporter, resources, keep)
            tags = {"models": ", ".join(named), "splits": str(len(splits))}
            uri = tracking_uri(config.tracking, folder_of(out))
            kept = kept_run(cells.folder, uri, job.digest)
            with start_run(
                config.tracking, folder_of(out), run_name("backtest"), tags, kept, reporter
            ) as run:
                keep_run(cells.folder, run.run_id, run.uri, job.digest)
                result = BacktestResult(splits, work.cells_of(splits))
                with output.folder() as aside, reporter.task("writing the report"):
                    write_backtest(aside, result)
                    work.move_datasets(splits, aside / _DATASETS)
                with reporter.task("recording the figures"):
                    record_backtest(run, result, named, config, out)
            remove_or_warn(cells.folder)
    return result


def _check(sources: Sources, config: Config) -> None:
    unread = ("validation", "test", "append_to", "ids_from")
    others = [name for name in unread if _is_given(getattr(sources, name))]
    if others:
        raise InputError(
            "a backtest parts one log itself, and reads logs, items and users alone, but got "
            f"{', '.join(others)}; leave them out"
        )
    if config.evaluation.catalogue == "common":
        raise InputError(
            "evaluation.catalogue must be known, all or new in a backtest, whose models are fitted "
            "on the same rows, but is common; leave it out"
        )


def _is_given(source: object) -> bool:
    is_empty = isinstance(source, tuple | list) and not source
    return source is not None and not is_empty


def _splits(sources: FileSources, config: Config, reporter: Reporter) -> list[BacktestSplit]:
    if config.backtest.folds is not None:
        return folds(config)
    return windows(config, log_times(sources.logs, config.log, reporter))
