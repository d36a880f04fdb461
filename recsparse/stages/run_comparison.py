"""Runs side by side: their figures, what they differ in, and which is the best."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsparse.config.config import TrackingConfig
from recsparse.errors import InputError, nearest
from recsparse.files.addresses import plain
from recsparse.metrics.definitions import better_of
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.runs import brief_of
from recsparse.tracking.recorded_run import RecordedRun, recorded_runs
from recsparse.tracking.store import tracking_uri
from recsparse.tracking.tracked import list_runs

_METRICS = "metrics."
# Figures with one of these words in their name are the better the lower they are, too.
_LOWER = frozenset({"loss", "seconds"})
# So many figures are told where none is like that which was asked for.
_MOST_TOLD = 20
_ENVIRONMENT = ("host", "git_commit", "git_dirty", "mlflow.user", "mlflow.source.name")


def compare_runs(
    folder: str | Path,
    first: str,
    second: str,
    config: TrackingConfig | None = None,
    reporter: Reporter = SILENT,
) -> pd.DataFrame:
    """Return the figures of two runs side by side.

    Args:
        folder: Where `mlflow.db` lies, unless an address is configured.
        first: The id of a run, its name, or the beginning of one of them.
        second: Of another run.
        config: The tracking section.
        reporter: Shows the progress.

    Returns:
        One row per figure that both have, in the order of their names: `metric`, a column for each
        run, the `difference` from the first to the second, and `change %`, that in percent of the
        first; NaN where the first is 0.

    Raises:
        MissingFileError: If the store or a run is not there.
        InputError: If a run is not named clearly, or they have no figure in common.
        StoreError: If the store cannot be reached.
    """
    one, other = _two(folder, first, second, config, reporter)
    both = sorted(one.metrics.keys() & other.metrics.keys())
    if not both:
        raise InputError(
            f"the runs must have a figure in common, but {_label(one)} has "
            f"{sorted(one.metrics) or 'none'} and {_label(other)} {sorted(other.metrics) or 'none'}"
        )
    before, after = (
        np.array([each.metrics[name] for name in both], dtype=float) for each in (one, other)
    )
    change = np.full(len(both), np.nan)
    np.divide(100 * (after - before), np.abs(before), out=change, where=before != 0)
    return pd.DataFrame(
        {
            "metric": both,
            _label(one): before,
            _label(other): after,
            "difference": after - before,
            "change %": change,
        }
    )


def diff_runs(
    folder: str | Path,
    first: str,
    second: str,
    config: TrackingConfig | None = None,
    reporter: Reporter = SILENT,
) -> pd.DataFrame:
    """Return what two runs differ in.

    Args:
        folder: Where `mlflow.db` lies, unless an address is configured.
        first: The id of a run, its name, or the beginning of one of them.
        second: Of another run.
        config: The tracking section.
        reporter: Shows the progress.

    Returns:
        One row for each thing that is not the same: `of` (`parameter`, `data` with the digest,
        `metric` or `environment`), `name`, and a column for each run; None where it has none.

    Raises:
        MissingFileError: If the store or a run is not there.
        InputError: If a run is not named clearly.
        StoreError: If the store cannot be reached.
    """
    runs = _two(folder, first, second, config, reporter)
    rows = []
    for kind, (one, other) in _compared(*runs).items():
        rows += [
            [kind, name, one.get(name), other.get(name)]
            for name in sorted(one.keys() | other.keys())
            if not _same(one.get(name), other.get(name))
        ]
    columns = ["of", "name", *map(_label, runs)]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def best_runs(
    folder: str | Path,
    metric: str,
    config: TrackingConfig | None = None,
    reporter: Reporter = SILENT,
) -> pd.DataFrame:
    """Return the runs of all experiments of a store that have a figure, the best first.

    Args:
        folder: Where `mlflow.db` lies, unless an address is configured.
        metric: Name of the figure, as in `test_ndcg@10`; of `ndcg@10` that on the test part, else
            on the validation part. The best is the lowest of errors, losses and seconds, and of
            metrics that are the better the lower they are, as `recsparse metrics` says.
        config: The tracking section; where its `experiment` is set, only runs of that one count.
        reporter: Shows the progress.

    Returns:
        One row per run: `run_id`, `experiment`, `name`, `status`, `started`, and the figure.

    Raises:
        MissingFileError: If the store is not there.
        InputError: If no run has the figure.
        StoreError: If the store cannot be reached.
    """
    config = config or TrackingConfig()
    experiment = config.experiment if "experiment" in config.model_fields_set else None
    with reporter.task("reading the runs"):
        found = list_runs(tracking_uri(config, plain(folder)), experiment)
    known = [name.removeprefix(_METRICS) for name in map(str, found) if name.startswith(_METRICS)]
    name = _known_metric(metric, known)
    words = set(name.replace("/", "_").split("_"))
    is_lower = better_of(name) == "lower" or bool(_LOWER & words)
    having = found[found[_METRICS + name].notna()].sort_values(
        _METRICS + name, ascending=is_lower, kind="stable"
    )
    return brief_of(having, [_METRICS + name]).reset_index(drop=True)


def _known_metric(metric: str, known: Iterable[str]) -> str:
    known = [*known]
    asked = metric.removeprefix(_METRICS).replace("@", "_at_")
    of_parts = [f"test_{asked}", f"validation_{asked}"]
    # Runs of mlflow.models.evaluate have ndcg_at_10 itself, of candidates: no figure to rank with.
    for name in [*of_parts, asked] if "@" in metric else [asked, *of_parts]:
        if name in known:
            return name
    # Those of models within a comparison would bury the others.
    told = [name for name in known if "/" not in name]
    hint = nearest(asked, known if get_close_matches(asked, known, 1, 0.5) else told[:_MOST_TOLD])
    raise InputError(f"a run must have the metric {metric!r}, but none has; {hint}")


def _two(
    folder: str | Path,
    first: str,
    second: str,
    config: TrackingConfig | None,
    reporter: Reporter,
) -> tuple[RecordedRun, RecordedRun]:
    with reporter.task("reading the runs"):
        uri = tracking_uri(config or TrackingConfig(), plain(folder))
        one, other = recorded_runs(uri, [first, second])
    if one.run_id == other.run_id:
        raise InputError(
            f"two runs must be named, but {first!r} and {second!r} are both {_label(one)}"
        )
    return one, other


def _compared(
    one: RecordedRun, other: RecordedRun
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return {
        "parameter": (one.params, other.params),
        "data": (_data(one), _data(other)),
        "metric": (one.metrics, other.metrics),
        "environment": (_environment(one), _environment(other)),
    }


def _data(run: RecordedRun) -> dict[str, str]:
    return {served: f"{name} {digest[:12]}" for served, (name, digest) in run.data.items()}


def _environment(run: RecordedRun) -> dict[str, str]:
    return {
        name: value
        for name, value in run.tags.items()
        if name in _ENVIRONMENT or name.endswith("_version")
    }


def _same(one: Any, other: Any) -> bool:
    # NaN is no difference from NaN.
    return bool(one == other or (one != one and other != other))


def _label(run: RecordedRun) -> str:
    return f"{run.name} ({run.run_id[:8]})"
