"""Searches of several kinds of models with one budget each: a table, and a TOML of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsparse.config.config import Config
from recsparse.config.model_kinds import find_section
from recsparse.config.model_section import known_sections
from recsparse.errors import InputError, RecsparseError, nearest, reason
from recsparse.files.addresses import folder_of, is_address
from recsparse.files.atomic import atomic_file, make_folder
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.tune import tune
from recsparse.stages.tuning.search import TuneResult

TABLE = "kinds.csv"


@dataclass(frozen=True)
class KindsResult:
    """The outcome of searches of several kinds.

    Attributes:
        table: One row per kind, the best first: its metric, its number of trials and seconds, the
            settings that were best, and why there are none where the search failed.
        results: The outcome of each search, by kind.
    """

    table: pd.DataFrame
    results: dict[str, TuneResult]


def tune_kinds(
    dataset: str | Path,
    kinds: Sequence[str],
    out: str | Path,
    config: Config | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
    fresh: bool = False,
) -> KindsResult:
    """Search the settings of several kinds of models, with the same budget each.

    Args:
        dataset: A dataset folder.
        kinds: Kinds of models.
        out: A folder for the best configuration of each kind, `ease.toml` and so on, and for the
            table, `kinds.csv`; what else is in it stays. Where no address is set, the MLflow store
            is next to it, as next to any output.
        config: The configuration to start from; its section `model` is used for its own kind, other
            kinds start from their defaults.
        reporter: Shows the progress.
        overwrite: Replace what other searches found or tried.
        fresh: Begin anew, without the trials of an earlier start.

    Returns:
        The table, and the outcome of each search.

    Raises:
        InputError: If a kind is not known, `out` is an address, or every search failed.
        ConfigError: If a configuration is wrong.
    """
    config = config or Config()
    configs = {kind: _config_of(kind, config) for kind in kinds}
    if is_address(out):
        raise InputError(f"the output of several kinds must be a folder here, but is {out}")
    folder = Path(out)
    make_folder(folder)
    results: dict[str, TuneResult] = {}
    rows: list[dict[str, Any]] = []
    with reporter.task("tuning kinds of models", len(configs)) as advance:
        for done, (kind, own) in enumerate(configs.items()):
            advance(done, kind)
            try:
                best = folder / f"{kind}.toml"
                results[kind] = tune(
                    dataset, own, best, None, reporter, overwrite, fresh, folder_of(folder)
                )
                rows.append(_row(kind, results[kind]))
            except RecsparseError as error:
                rows.append({"model": kind, "reason": reason(error)})
    table = _table(rows, results)
    if not results:
        raise InputError(
            f"at least one search must succeed, but {rows[0]['model']}: {rows[0]['reason']}"
        )
    with atomic_file(folder / TABLE) as aside:
        table.to_csv(aside, index=False)
    return KindsResult(table, results)


def _config_of(kind: str, config: Config) -> Config:
    section = find_section(kind)
    if section is None:
        raise InputError(
            f"kinds must be known, but got {kind!r}; {nearest(kind, known_sections())}"
        )
    model = config.model if config.model.kind == kind else section(kind=kind)
    return config.model_copy(update={"model": model})


def _row(kind: str, result: TuneResult) -> dict[str, Any]:
    best, names = result.trials.iloc[0], list(result.trials.columns)
    settings = names[1 : names.index(result.metric)]
    return {
        "model": kind,
        result.metric: best[result.metric],
        "trials": len(result.trials),
        "seconds": round(float(result.trials["seconds"].sum()), 1),
        "best settings": ", ".join(f"{name} = {_shown(best[name])}" for name in settings),
        "reason": "",
    }


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(rows: list[dict[str, Any]], results: dict[str, TuneResult]) -> pd.DataFrame:
    # Models of ratings have another metric, the less the better; the first kind's leads.
    metrics = list(dict.fromkeys(result.metric for result in results.values()))
    table = pd.DataFrame(rows)
    if not metrics:
        return table
    is_error = metrics[0] == "rmse"
    worst = math.inf if is_error else -math.inf
    order = table[metrics[0]].fillna(worst).sort_values(ascending=is_error, kind="stable").index
    return table.loc[order].reset_index(drop=True)
