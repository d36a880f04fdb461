"""The `recsparse` command: one thin function a stage.

Stages are imported inside their commands, against the house rule: MLflow and Lightning take seconds
to import, and `recsparse --help` should not.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from recsparse.cli.options import (
    AsJson,
    ConfigPath,
    DatasetPath,
    HistoryOf,
    Memory,
    ModelAddress,
    OutPath,
    Overrides,
    SpillFolder,
    Threads,
    UnknownIds,
)
from recsparse.cli.terminal import (
    TerminalReporter,
    show_comparison,
    show_frame,
    show_groups,
    show_json,
    show_pairs,
    show_runs,
)
from recsparse.config_file import load_config, parse_space
from recsparse.errors import RecsparseError

FAILED, BAD_INPUT = 1, 2

app = typer.Typer(
    name="recsparse",
    help="Recommender models with sparse convolutions, from Parquet logs to scored Parquet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def run() -> None:
    """Run the command line."""
    exit_on_error(app)


def exit_on_error(command: Callable[[], object]) -> None:
    """Run a command; exit with status 1 for a failed job, 2 for bad usage or bad input.

    Args:
        command: What to run.

    Raises:
        Exception: What went wrong, where RECSPARSE_TRACEBACK is set and it is a failed job.
    """
    try:
        command()
    except RecsparseError as error:
        typer.secho(f"error: {_on_one_line(error)}", err=True, fg="red")
        sys.exit(BAD_INPUT)
    except Exception as error:
        if os.environ.get("RECSPARSE_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {_on_one_line(error)}"
        message = f"{what}; RECSPARSE_TRACEBACK=1 shows where"
        typer.secho(f"failed: {message}", err=True, fg="red")
        sys.exit(FAILED)


def _on_one_line(error: Exception) -> str:
    # Arrow's messages, which some of ours quote, have several lines.
    return " ".join(str(error).split())


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the data set, such as movielens-100k.")],
    out: Annotated[Path | None, typer.Option(help="Folder; the user's cache by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Download a public data set and check it."""
    from recsparse.stages.fetch import fetch as stage

    _show({"folder": str(stage(name, out, TerminalReporter()))}, as_json, name)


@app.command()
def prepare(
    logs: Annotated[
        list[str],
        typer.Argument(help="Parquet or CSV files, folders, globs, or addresses such as s3://…"),
    ],
    out: OutPath,
    items: Annotated[str | None, typer.Option(help="Table of items: text, features.")] = None,
    users: Annotated[str | None, typer.Option(help="Table of users: text, features.")] = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="Logs that are all for validation.")
    ] = None,
    test: Annotated[list[str] | None, typer.Option(help="Logs that are all for the test.")] = None,
    append: Annotated[
        Path | None, typer.Option(help="Dataset to extend; its ids keep their indices.")
    ] = None,
    ids_from: Annotated[
        Path | None, typer.Option(help="Dataset whose ids keep their indices here.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="SQL condition on the rows, as in event = 'purchase'.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Refuse a log with bad rows.")] = False,
    memory: Memory = None,
    threads: Threads = None,
    spill: SpillFolder = None,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Turn logs into a dataset folder: checked, split, indexed; the log may exceed the memory."""
    from recsparse.datasets.build import Sources
    from recsparse.datasets.workspace import Resources
    from recsparse.stages.prepare import prepare as stage

    settings = [*(overrides or []), *(["log.strict=true"] if strict else [])]
    if where is not None:
        settings.append(f"log.where={json.dumps(where)}")
    sources = Sources(
        logs=logs,
        validation=validation or (),
        test=test or (),
        items=items,
        users=users,
        append_to=append,
        ids_from=ids_from,
    )
    dataset = stage(
        sources,
        out,
        config=load_config(config, settings),
        reporter=TerminalReporter(),
        resources=Resources(memory, threads, spill),
    )
    _show({"dataset": str(out), **dataset.counts}, as_json, f"dataset {out}")


@app.command()
def train(
    dataset: DatasetPath,
    out: OutPath,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    go_on_from: Annotated[
        str | None, typer.Option("--from", help="Go on from this model, with rows since then.")
    ] = None,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Fit a model, record it in MLflow, write a model folder."""
    from recsparse.stages.train import train as stage

    settings = load_config(config, overrides or [])
    result = stage(dataset, out, settings, resume, TerminalReporter(), go_on_from)
    shown = {
        "model": str(out),
        "mlflow model": result.model_uri,
        "fit seconds": result.fit_seconds,
        **{f"validation {name}": value for name, value in result.validation.items()},
    }
    _show(shown, as_json, f"model {out}")


@app.command()
def evaluate(
    models: Annotated[list[str], typer.Argument(help="Model folders, then the dataset folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Rank the test part with one or several models, side by side."""
    from recsparse.stages.evaluate import evaluate as stage

    if len(models) < 2:
        raise typer.BadParameter("name at least one model and then the dataset")
    *folders, dataset = models
    settings = load_config(config, overrides or [])
    result = stage(folders, dataset, out, settings, TerminalReporter())
    if as_json:
        show_json({name: each.mean() for name, each in result.results.items()})
    else:
        show_comparison("test part, full catalogue", result.table)


@app.command()
def score(
    model: ModelAddress,
    candidates: Annotated[Path, typer.Option(help="Parquet with user_id and item_id.")],
    out: OutPath,
    dataset: HistoryOf = None,
    on_unknown: UnknownIds = "error",
    as_json: AsJson = False,
) -> None:
    """Add a score to every candidate pair, part by part."""
    from recsparse.stages.score import score as stage

    rows = stage(model, candidates, out, dataset, on_unknown, TerminalReporter())
    _show({"scores": str(out), "rows": rows}, as_json, "scored")


@app.command()
def recommend(
    model: ModelAddress,
    out: OutPath,
    k: Annotated[int, typer.Option("-k", min=1, help="Items a user.")] = 20,
    users: Annotated[Path | None, typer.Option(help="Parquet with user_id.")] = None,
    dataset: HistoryOf = None,
    history: Annotated[Path | None, typer.Option(help="Log of users to fold in.")] = None,
    on_unknown: UnknownIds = "error",
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Write the k best unseen items of each user."""
    from recsparse.stages.score import RecommendOptions
    from recsparse.stages.score import recommend as stage

    log = load_config(config, overrides or []).log
    options = RecommendOptions(k, users, dataset, history, on_unknown, log)
    count = stage(model, out, options, TerminalReporter())
    _show({"recommendations": str(out), "users": count}, as_json, "recommended")


@app.command()
def tune(
    dataset: DatasetPath,
    out: OutPath,
    tries: Annotated[
        list[str] | None,
        typer.Option("--try", help="Values of one setting of the model, as in factors=[32, 64]."),
    ] = None,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Search a model's settings on the validation part; --out is the TOML of the best."""
    from recsparse.stages.tune import tune as stage

    settings = load_config(config, overrides or [])
    space = parse_space(tries) if tries else None
    result = stage(dataset, settings, out, space, TerminalReporter())
    if as_json:
        show_json(result.trials.to_dict("records"))
    else:
        show_frame(f"trials of {settings.model.kind}, best first", result.trials.head(10))


@app.command()
def describe(
    paths: Annotated[list[str], typer.Argument(help="Dataset folder, or logs as prepare takes.")],
    html: Annotated[Path | None, typer.Option(help="File for a page with pictures.")] = None,
    memory: Memory = None,
    threads: Threads = None,
    spill: SpillFolder = None,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is in a log or a dataset; the log may exceed the memory."""
    from recsparse.datasets.workspace import Resources
    from recsparse.stages.describe import describe as stage
    from recsparse.stages.describe import named

    log = load_config(config, overrides or []).log
    groups = stage(paths, log, html, Resources(memory, threads, spill), TerminalReporter())
    if as_json:
        show_json(groups)
    else:
        show_groups(named(paths), groups)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the installation: versions, kernels, threads, store, room, and what will hurt."""
    from recsparse.stages.doctor import doctor as stage

    found = stage()
    if not as_json:
        found["advice"] = found["advice"] or "none is needed"
    _show(found, as_json, "installation")


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="Folder that holds mlflow.db.")] = Path(),
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """List the MLflow runs of the experiment, the newest first; --json has all their figures."""
    from recsparse.stages.runs import runs as stage

    frame = stage(folder, load_config(config, overrides or []).tracking)
    if as_json:
        show_json(frame.to_dict("records"))
    else:
        show_runs("runs", frame)


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """Show the formula of every metric."""
    from recsparse.evaluation.metrics import FORMULAS
    from recsparse.evaluation.ratings import RATING_FORMULAS

    _show({**FORMULAS, **RATING_FORMULAS}, as_json, "metrics")


@app.command()
def evaluate_file(
    scored: Annotated[Path, typer.Argument(help="Parquet with user_id, item_id, score.")],
    dataset: DatasetPath,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Rank the test part by any system's scores."""
    from recsparse.stages.evaluate_file import evaluate_file as stage

    result = stage(scored, dataset, load_config(config, overrides or []))
    _show({**result.mean(), **result.coverage}, as_json, str(scored))


def _show(pairs: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        show_json(pairs)
    else:
        show_pairs(title, pairs)
