"""The `recsparse` command: one thin function a stage.

Stages are imported inside their commands, against the house rule: MLflow and Lightning take seconds
to import, and `recsparse --help` should not.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from recsparse.cli.exit import exit_on_error
from recsparse.cli.options import (
    AppendTo,
    AsJson,
    ConfigPath,
    DatasetPath,
    GoOnFrom,
    HistoryOf,
    IdsFrom,
    ItemTable,
    Logs,
    Memory,
    ModelAddress,
    OutPath,
    Overrides,
    SpillFolder,
    Strict,
    TestLogs,
    Threads,
    Tries,
    UnknownIds,
    UserTable,
    ValidationLogs,
    Where,
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


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the data set, such as movielens-100k.")],
    out: Annotated[Path | None, typer.Option(help="Folder; the user's cache by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Download a public data set and check it."""
    from recsparse.stages.fetch import fetch as stage

    show_pairs(name, {"folder": str(stage(name, out, TerminalReporter()))}, as_json)


@app.command()
def prepare(
    logs: Logs,
    out: OutPath,
    items: ItemTable = None,
    users: UserTable = None,
    validation: ValidationLogs = None,
    test: TestLogs = None,
    append: AppendTo = None,
    ids_from: IdsFrom = None,
    where: Where = None,
    strict: Strict = False,
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
    show_pairs(f"dataset {out}", {"dataset": str(out), **dataset.counts}, as_json)


@app.command()
def train(
    dataset: DatasetPath,
    out: OutPath,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    go_on_from: GoOnFrom = None,
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
    show_pairs(f"model {out}", shown, as_json)


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
    show_pairs("scored", {"scores": str(out), "rows": rows}, as_json)


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
    show_pairs("recommended", {"recommendations": str(out), "users": count}, as_json)


@app.command()
def tune(
    dataset: DatasetPath,
    out: OutPath,
    tries: Tries = None,
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
    show_pairs("installation", found, as_json)


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

    show_pairs("metrics", {**FORMULAS, **RATING_FORMULAS}, as_json)


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
    show_pairs(str(scored), {**result.mean(), **result.coverage}, as_json)
