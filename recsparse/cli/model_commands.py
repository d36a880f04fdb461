"""Models: fitted, tuned, and ranked by the test part."""

from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.options import (
    AsJson,
    ConfigPath,
    DatasetPath,
    GoOnFrom,
    OutPath,
    Overrides,
    Tries,
)
from recsparse.cli.terminal import (
    TerminalReporter,
    show_comparison,
    show_frame,
    show_json,
    show_pairs,
)
from recsparse.config_file import load_config, parse_space


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
        "mlflow model": result.model_uri or "not sent",
        "fit seconds": result.fit_seconds,
        **{f"validation {name}": value for name, value in result.validation.items()},
    }
    show_pairs(f"model {out}", shown, as_json)


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
def evaluate(
    models: Annotated[list[str], typer.Argument(help="Model folders, then the dataset folder.")],
    out: Annotated[str | None, typer.Option(help="Folder for the report.")] = None,
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
def evaluate_file(
    scored: Annotated[str, typer.Argument(help="Parquet with user_id, item_id, score.")],
    dataset: DatasetPath,
    config: ConfigPath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Rank the test part by any system's scores."""
    from recsparse.stages.evaluate_file import evaluate_file as stage

    result = stage(scored, dataset, load_config(config, overrides or []))
    show_pairs(str(scored), {**result.mean(), **result.coverage}, as_json)


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """Show the formula of every metric."""
    from recsparse.evaluation.metrics import FORMULAS
    from recsparse.evaluation.ratings import RATING_FORMULAS

    show_pairs("metrics", {**FORMULAS, **RATING_FORMULAS}, as_json)
