"""Search for a model's settings on the validation part; the test part is never read."""

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsparse.config.config import Config
from recsparse.config.metric_names import figure_name
from recsparse.config.toml_reader import parse_config
from recsparse.config.toml_writer import to_toml
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.fit_rows import rows_to_fit
from recsparse.datasets.parts import EvaluationPart
from recsparse.errors import InputError
from recsparse.files.addresses import folder_of
from recsparse.files.filesystems import fetched
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.registry import model_class
from recsparse.outputs.claim import Output, claim
from recsparse.outputs.job import Job
from recsparse.outputs.kinds import TextKind
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.data import load_data
from recsparse.stages.fit_on_dataset import fit_context, fit_on, validate
from recsparse.stages.needs import require_needs
from recsparse.stages.rank_part import part_to_rank
from recsparse.stages.trial_fit import try_own_models
from recsparse.tracking.open_run import start_run
from recsparse.tracking.run import SCHEMA_ROWS, Run


def _is_of_older_build(text: str) -> bool:
    try:
        values = tomllib.loads(text)
        parse_config(values)
    except (InputError, tomllib.TOMLDecodeError):
        return False
    # Those that are written by hand seldom name every section.
    return values.keys() >= {"seed", "model", "training", "evaluation"}


CONFIGURATION = TextKind("configuration", "a configuration", ("# ", ""), _is_of_older_build)


@dataclass(frozen=True)
class TuneResult:
    """The outcome of a search.

    Attributes:
        config: The configuration with the best settings.
        trials: One row per trial: its settings and its validation metric, the best first, equal
            ones in the order of the search, NaN last.
        metric: Name of the metric.
    """

    config: Config
    trials: pd.DataFrame
    metric: str


def tune(
    dataset: str | Path,
    config: Config | None = None,
    out: str | Path | None = None,
    space: Mapping[str, Sequence[Any]] | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
) -> TuneResult:
    """Try every combination of some settings of the configured model.

    Args:
        dataset: A dataset folder.
        config: The configuration to start from; `model.kind` says which model.
        out: TOML file for the best configuration; None writes none and tracks nothing.
        space: Values to try for each key of the model section; None means the model's own.
        reporter: Shows the progress.
        overwrite: Replace a configuration that another search found, or that was edited since.

    Returns:
        The best configuration and all trials.

    Raises:
        InputError: If the space names a key without values, the dataset lacks what a trial
            needs, or a model of the caller's own could not be loaded again.
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
        StoreError: If the MLflow store cannot be reached or written; nothing is fitted then.
    """
    config, data = config or Config(), load_data(dataset, reporter)
    space = config.model.search_space if space is None else space
    for settings in _combinations(space):
        require_needs(_with_settings(config, settings).model, data)
    with reporter.task("reading the validation part"):
        part = part_to_rank(data, "validation")
    try_own_models(config.model, data, part, config.seed)
    if out is None:
        return _search(data, part, config, space, reporter)
    job = Job.of("tune", [dataset], (config.model_dump(exclude={"tracking"}), space))
    with (
        claim(out, CONFIGURATION, job, overwrite, reporter=reporter) as output,
        start_run(
            config.tracking, folder_of(out), f"tune {config.model.kind}", reporter=reporter
        ) as run,
    ):
        rows = data.split.validation.num_rows
        with reporter.task("recording the dataset"):
            run.log_dataset(fetched(dataset), data.train_frame(SCHEMA_ROWS), rows, "validation")
        result = _search(data, part, config, space, reporter)
        _write(DataSettings.of(data.config, data.counts).laid_over(result.config), output)
        with reporter.task("recording the trials"):
            _record(run, result, fetched(out))
    return result


def _search(
    data: Dataset,
    part: EvaluationPart,
    config: Config,
    space: Mapping[str, Sequence[Any]],
    reporter: Reporter,
) -> TuneResult:
    trials = _combinations(space)
    with reporter.task("laying out the rows"):
        rows = rows_to_fit(data)
        context = replace(fit_context(data, rows, part, config), reporter=reporter)
    is_rating = model_class(config.model.kind).predicts_ratings
    metric = "rmse" if is_rating else figure_name(config.evaluation.select_by)
    tried_rows: list[dict[str, Any]] = []
    model: Recommender | None = None
    with reporter.task(f"tuning {config.model.kind}", len(trials)) as advance:
        for number, settings in enumerate(trials):
            tried = _with_settings(config, settings)
            trial = f"trial {number + 1} of {len(trials)}, {_listed(settings)}"
            advance(number, trial)
            same_fit = model and model.with_settings(tried.model)
            model = same_fit or fit_on(rows, tried, context)
            figures = validate(model, data, part, tried).mean()
            tried_rows.append({**settings, metric: figures[metric]})
            advance(number + 1, f"{trial}: {metric} {tried_rows[-1][metric]:.4f}")
    table = pd.DataFrame(tried_rows).sort_values(metric, ascending=is_rating, kind="stable")
    best = _with_settings(config, trials[int(table.index[0])])
    return TuneResult(best, table.reset_index(drop=True), metric)


def _combinations(space: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    empty = [key for key, values in space.items() if not values]
    if empty:
        raise InputError(
            f"every key of the search space must have values, but {empty[0]!r} has none"
        )
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "as configured"


def _with_settings(config: Config, settings: Mapping[str, Any]) -> Config:
    values = config.model_dump(mode="json")
    values["model"].update(settings)
    return parse_config(values, source="the search space")


def _write(config: Config, output: Output) -> None:
    text = to_toml(config.model_dump(mode="json", exclude_none=True))
    with output.file() as aside:
        aside.write_text(CONFIGURATION.signed(text, output.job.digest), encoding="utf-8")


def _record(run: Run, result: TuneResult, out: Path) -> None:
    run.log_params({"model": result.config.model.model_dump(mode="json", exclude_none=True)})
    run.log_metrics({f"validation_{result.metric}": float(result.trials[result.metric].iloc[0])})
    run.log_table(result.trials, "trials.json")
    run.log_file(out)
