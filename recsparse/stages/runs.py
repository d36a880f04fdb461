"""The runs of a store, with the figures that one compares."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from recsparse.config.config import TrackingConfig
from recsparse.files.addresses import plain
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.tracking.open_run import send_unsent
from recsparse.tracking.store import tracking_uri
from recsparse.tracking.tracked import list_runs

_COLUMNS = {
    "experiment": "experiment",
    "tags.mlflow.runName": "name",
    "status": "status",
    "start_time": "started",
}
_PARENT = "tags.mlflow.parentRunId"


def runs(
    folder: str | Path,
    config: TrackingConfig | None = None,
    send: bool = False,
    reporter: Reporter = SILENT,
    query: str = "",
    children: bool = False,
) -> pd.DataFrame:
    """Return the runs, the newest first, with their validation and test metrics.

    Args:
        folder: Where `mlflow.db` lies, unless an address is configured.
        config: The tracking section; where its `experiment` is set, only the runs of that one are
            returned, else those of all.
        send: First send what jobs of this folder could not send to their stores.
        reporter: Shows the progress.
        query: MLflow's own filter, such as `metrics.test_ndcg_at_10 > 0.3 and tags.kind = 'ease'`.
        children: Return runs within other runs, too, such as the trials of a search and the models
            of a backtest; a filter returns all that it fits.

    Returns:
        One row per run: `run_id`, experiment, name, status, start, and one column per metric.

    Raises:
        MissingFileError: If the store or the experiment is not there.
        InputError: If MLflow does not understand the filter.
        StoreError: If the store cannot be reached.
    """
    config, folder = config or TrackingConfig(), plain(folder)
    if send:
        sync_runs(folder, config, reporter)
    experiment = config.experiment if "experiment" in config.model_fields_set else None
    with reporter.task("reading the runs"):
        found = list_runs(tracking_uri(config, folder), experiment, query)
    if _PARENT in found and not children and not query:
        found = found[found[_PARENT].isna()]
    figures = sorted(
        name for name in map(str, found) if name.startswith(("metrics.val", "metrics.test"))
    )
    return brief_of(found, figures)


def sync_runs(
    folder: str | Path, config: TrackingConfig | None = None, reporter: Reporter = SILENT
) -> int:
    """Send what jobs of a folder could not send to their stores.

    Args:
        folder: Folder of the jobs' outputs.
        config: The tracking section; its address, where there is one, takes the place of those
            that the jobs had.
        reporter: Shows the progress.

    Returns:
        How many records are left.

    Raises:
        StoreError: If a store cannot be reached.
    """
    with reporter.task("sending what was kept"):
        return send_unsent(plain(folder), config)


def brief_of(found: pd.DataFrame, figures: Sequence[str]) -> pd.DataFrame:
    """Return of runs what one lists of them.

    Args:
        found: Runs with MLflow's columns.
        figures: Which of its figures, as in `metrics.test_ndcg_at_10`.

    Returns:
        Columns `run_id`, `experiment`, `name`, `status`, `started`, and the figures by their own
        names.
    """
    # A column that no run has, such as the names of no runs at all, comes out empty.
    chosen = found.reindex(columns=["run_id", *_COLUMNS, *figures]).rename(columns=_COLUMNS)
    return chosen.rename(columns=lambda name: name.removeprefix("metrics."))
