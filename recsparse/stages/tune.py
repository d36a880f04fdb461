"""Search for a model's settings on the validation part; the test part is never read."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recsparse.config.config import Config
from recsparse.config.search_space import Range, SearchSpace
from recsparse.config.toml_reader import parse_config
from recsparse.config.toml_writer import to_toml
from recsparse.config.trial_settings import checked_space, with_settings
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.parts import EvaluationPart
from recsparse.digest import digest
from recsparse.errors import InputError, OutputError
from recsparse.files.addresses import folder_of
from recsparse.files.atomic import make_folder, remove
from recsparse.files.filesystems import fetched
from recsparse.outputs.claim import Output, claim, require_own_files
from recsparse.outputs.job import Job
from recsparse.outputs.kinds import TextKind
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.stages.data import load_data
from recsparse.stages.list_context import require_context
from recsparse.stages.needs import require_needs
from recsparse.stages.rank_part import part_to_rank
from recsparse.stages.trial_fit import try_own_models
from recsparse.stages.tuning.pictures import plot_settings, plot_trials
from recsparse.stages.tuning.search import (
    OnEnd,
    Shown,
    TuneResult,
    result_of,
    search,
    seconds_left,
    total_of,
)
from recsparse.stages.tuning.study import (
    OWN_FILES,
    SETTINGS_PICTURE,
    TRIALS_PICTURE,
    StoredTrials,
    has_optuna,
    require_optuna,
)
from recsparse.stages.tuning.trial_fits import Figure, TrialFits
from recsparse.stages.tuning.trial_runs import TrialRuns
from recsparse.stages.tuning.trials import ListedTrials, Plan, Trials
from recsparse.stages.tuning.workers import SharedSearch, share
from recsparse.tracking.open_run import start_run
from recsparse.tracking.run import SCHEMA_ROWS, Run
from recsparse.tracking.run_name import run_name

# Ending of the folder of the trials, next to the output.
SEARCH = ".search"


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
class _Search:
    """All that the trials of a search depend on."""

    dataset: str | Path
    data: Dataset
    part: EvaluationPart
    config: Config
    plan: Plan
    reporter: Reporter

    def job(self) -> Job:
        # A budget may be raised, and the search goes on.
        config = self.config.model_dump(include={"seed", "model", "training", "evaluation"})
        settings = config, self.plan.space, self.plan.drawing, self.plan.prune_after
        return Job.of("tune", [self.dataset], settings)


def tune(  # noqa: PLR0913 (whoever runs several searches places the store)
    dataset: str | Path,
    config: Config | None = None,
    out: str | Path | None = None,
    space: Mapping[str, Any] | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
    fresh: bool = False,
    store_folder: str | Path | None = None,
) -> TuneResult:
    """Try settings of the configured model, and choose by the validation part.

    A search with an output keeps its trials in a folder next to it, where Optuna is installed: one
    that was interrupted resumes, and one that came to its end goes on with a larger budget.

    Args:
        dataset: A dataset folder.
        config: The configuration to start from; `model.kind` says which model, and the section
            `tuning` how to draw and for how long.
        out: TOML file for the best configuration; None writes none and tracks nothing.
        space: Values to try for each key of the model section, or their range, as such or as
            text; None means the model's own.
        reporter: Shows the progress.
        overwrite: Replace what another search found or tried, or a configuration that was edited
            since.
        fresh: Begin anew, without the trials of an earlier start.
        store_folder: Folder of the MLflow store where no address is set; without it that of `out`.

    Returns:
        The best configuration and all trials.

    Raises:
        InputError: If the space names a key without values, the dataset lacks what every trial
            needs, no trial comes to its end, or a model of the caller's own could not be loaded
            again.
        ConfigError: If a key of the space is unknown, or a value or a range is wrong.
        MissingPackageError: If Optuna is needed and not installed.
        OutputError: If the output is an input, or not ours to replace, or there are trials of
            another search; nothing is touched then.
        StoreError: If the MLflow store cannot be reached or written; nothing is fitted then.
    """
    config = config or Config()
    plan = Plan.of(config, checked_space(config, space_of(config) if space is None else space))
    if plan.drawing != "grid":
        require_optuna(f"the sampler {plan.drawing}")
    if config.tuning.jobs > 1:
        require_optuna("a search of several processes")
    data = load_data(dataset, reporter)
    _require_needs(config, plan, data)
    with reporter.task("reading the validation part"):
        part = part_to_rank(data, "validation")
    try_own_models(config.model, data, part, config.seed)
    job = _Search(dataset, data, part, config, plan, reporter)
    if out is not None:
        return _tracked(job, out, overwrite, fresh, store_folder or folder_of(out))
    if config.tuning.jobs == 1:
        trials = StoredTrials(plan, None, "") if has_optuna() else ListedTrials(plan)
        return _searched(job, trials, lambda: None)
    with TemporaryDirectory() as folder:
        return _searched(job, StoredTrials(plan, Path(folder), ""), lambda: None)


def space_of(config: Config) -> SearchSpace:
    """Return what a search tries of a model where the caller names nothing.

    Args:
        config: Its model, and how the search draws.

    Returns:
        The lists of its kind for a grid, else the ranges, where it has some.
    """
    options, model = config.tuning, config.model
    is_open = options.trials is None and options.seconds is None
    if options.sampler == "grid" or (options.sampler == "auto" and is_open):
        return model.search_space
    return model.search_ranges or model.search_space


def _tracked(
    job: _Search, out: str | Path, overwrite: bool, fresh: bool, store_folder: str | Path
) -> TuneResult:
    config, reporter, work = job.config, job.reporter, job.job()
    with claim(out, CONFIGURATION, work, overwrite, (SEARCH,), reporter) as output:
        # A folder is made when the store has answered.
        there = os.path.lexists(output.working_folder(SEARCH))
        trials = _kept_trials(output, job.plan, overwrite, fresh) if there else None
        before = trials.search_run if isinstance(trials, StoredTrials) else None
        with start_run(
            config.tracking,
            store_folder,
            run_name(f"tune-{config.model.kind}"),
            resume_run=before,
            reporter=reporter,
        ) as run:
            trials = trials or _kept_trials(output, job.plan, overwrite, fresh)
            if run.run_id != before:
                _log_dataset(run, job)
            if isinstance(trials, StoredTrials):
                trials.set_search_run(run.run_id)
            runs = TrialRuns(run, trials, config, Figure.of(config))
            try:
                result = _searched(job, trials, runs.record)
            finally:
                runs.record(last=True)
            _write(
                DataSettings.of(job.data.config, job.data.counts).laid_over(result.config), output
            )
            with reporter.task("recording the trials"):
                _record(run, result, fetched(out))
                _draw(run, result, job.plan, trials)
        if isinstance(trials, StoredTrials):
            trials.set_search_run(None)
    return result


def _kept_trials(output: Output, plan: Plan, overwrite: bool, fresh: bool) -> Trials:
    folder = output.working_folder(SEARCH)
    require_own_files(folder, OWN_FILES.__contains__)
    if fresh:
        remove(folder)
    if not has_optuna():
        return ListedTrials(plan)
    make_folder(folder)
    # Another version may come to other figures.
    key = digest(output.job.digest, version("recsparse"))
    try:
        trials = StoredTrials(plan, folder, key)
    except OutputError:
        if not overwrite:
            raise
        remove(folder)
        make_folder(folder)
        trials = StoredTrials(plan, folder, key)
    trials.resume()
    return trials


def _searched(job: _Search, trials: Trials, on_end: OnEnd) -> TuneResult:
    config, total, figure = job.config, total_of(job.plan), Figure.of(job.config)
    done = len(trials.records())
    is_shared = config.tuning.jobs > 1 and isinstance(trials, StoredTrials)
    fits = None if is_shared else TrialFits(job.data, job.part, config, job.reporter)
    with job.reporter.task(f"tuning {config.model.kind}", total) as advance:
        shown = Shown(advance, figure, total, done)
        if fits is not None:
            search(trials, fits, seconds_left(config.tuning, trials), shown, on_end)
        elif isinstance(trials, StoredTrials) and trials.folder is not None:
            folder, key = trials.folder, trials.job
            shared = SharedSearch(fetched(job.dataset), config, job.plan.space, folder, key)
            share(shared, trials, shown, on_end)
    return result_of(trials, config, figure)


def _require_needs(config: Config, plan: Plan, data: Dataset) -> None:
    require_context(data, config.evaluation.metrics)
    # Where every trial would fail for want of the same, nothing is begun.
    errors = []
    for settings in _ends(plan):
        try:
            require_needs(with_settings(config, settings).model, data)
        except InputError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def _ends(plan: Plan) -> Iterator[dict[str, Any]]:
    # Trials that stand for all: none of the needs depends on where in a range a number is.
    ranges = {key: each for key, each in plan.space.items() if isinstance(each, Range)}
    lists = {key: each for key, each in plan.space.items() if key not in ranges}
    ends = {key: [each.low, each.high] for key, each in ranges.items()}
    yield from Plan({**lists, **ends}, "grid").combinations()


def _log_dataset(run: Run, job: _Search) -> None:
    rows, data = job.data.split.validation.num_rows, job.data
    with job.reporter.task("recording the dataset"):
        run.log_dataset(fetched(job.dataset), data.train_frame(SCHEMA_ROWS), rows, "validation")


def _write(config: Config, output: Output) -> None:
    text = to_toml(config.model_dump(mode="json", exclude_none=True))
    with output.file() as aside:
        aside.write_text(CONFIGURATION.signed(text, output.job.digest), encoding="utf-8")


def _draw(run: Run, result: TuneResult, plan: Plan, trials: Trials) -> None:
    metric = result.metric
    pictures = {TRIALS_PICTURE: plot_trials(result.trials, metric)}
    if plan.space:
        pictures[SETTINGS_PICTURE] = plot_settings(
            result.trials, metric, plan.space, result.importances
        )
    folder = trials.folder if isinstance(trials, StoredTrials) else None
    for name, picture in pictures.items():
        run.log_figure(picture, name)
        if folder is not None:
            picture.savefig(folder / name)


def _record(run: Run, result: TuneResult, out: Path) -> None:
    run.log_params({"model": result.config.model.model_dump(mode="json", exclude_none=True)})
    run.log_metrics({f"validation_{result.metric}": float(result.trials[result.metric].iloc[0])})
    run.log_table(result.trials, "trials.json")
    run.log_file(out)
