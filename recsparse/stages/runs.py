"""The runs of a store, with the figures that one compares."""

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


def runs(
    folder: str | Path,
    config: TrackingConfig | None = None,
    send: bool = False,
    reporter: Reporter = SILENT,
) -> pd.DataFrame:
    """Return the runs, the newest first, with their validation and test metrics.

    Args:
        folder: Where `mlflow.db` lies, unless an address is configured.
        config: The tracking section; where its `experiment` is set, only the runs of that one are
            returned, else those of all.
        send: First send what jobs of this folder could not send to their stores.
        reporter: Shows the progress.

    Returns:
        One row per run: `run_id`, experiment, name, status, start, and one column per metric.

    Raises:
        MissingFileError: If the store or the experiment is not there.
        StoreError: If the store cannot be reached.
    """
    config, folder = config or TrackingConfig(), plain(folder)
    if send:
        with reporter.task("sending what was kept"):
            send_unsent(folder, config)
    experiment = config.experiment if "experiment" in config.model_fields_set else None
    with reporter.task("reading the runs"):
        found = list_runs(tracking_uri(config, folder), experiment)
    figures = sorted(
        name for name in map(str, found) if name.startswith(("metrics.val", "metrics.test"))
    )
    # A column that no run has, such as the names of no runs at all, comes out empty.
    chosen = found.reindex(columns=["run_id", *_COLUMNS, *figures]).rename(columns=_COLUMNS)
    return chosen.rename(columns=lambda name: name.removeprefix("metrics."))
