"""The runs of an experiment, with the figures that one compares."""

from pathlib import Path

import pandas as pd

from recsparse.addresses import plain
from recsparse.config import TrackingConfig
from recsparse.training.store import tracking_uri
from recsparse.training.tracking import list_runs

_COLUMNS = {"tags.mlflow.runName": "name", "status": "status", "start_time": "started"}


def runs(folder: str | Path, config: TrackingConfig | None = None) -> pd.DataFrame:
    """Return the runs, the newest first, with their validation and test metrics.

    Args:
        folder: Where `mlflow.db` lies, unless an address is configured.
        config: The tracking section.

    Returns:
        One row a run: `run_id`, name, status, start, and one column a metric.

    Raises:
        MissingFileError: If the store or the experiment is not there.
    """
    config = config or TrackingConfig()
    found = list_runs(tracking_uri(config, plain(folder)), config.experiment)
    figures = sorted(
        name for name in map(str, found) if name.startswith(("metrics.val", "metrics.test"))
    )
    # A column that no run has, such as the names of no runs at all, comes out empty.
    chosen = found.reindex(columns=["run_id", *_COLUMNS, *figures]).rename(columns=_COLUMNS)
    return chosen.rename(columns=lambda name: name.removeprefix("metrics."))
