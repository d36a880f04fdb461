"""Batch scores and lists."""

from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.interrupt import parts_kept, when_interrupted
from recsparse.cli.options import (
    AsJson,
    ConfigPath,
    HistoryLog,
    HistoryOf,
    HistoryParts,
    ModelAddress,
    OutPath,
    Overrides,
    Overwrite,
    Quiet,
    UnknownIds,
)
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import (
    show_pairs,
)
from recsparse.config.toml_reader import load_config
from recsparse.outputs.places import place_of_work


@app.command()
def score(
    model: ModelAddress,
    candidates: Annotated[list[str], typer.Option(help="Pairs of user_id and item_id, as logs.")],
    out: OutPath,
    dataset: HistoryOf = None,
    history_parts: HistoryParts = None,
    history: HistoryLog = None,
    on_unknown: UnknownIds = "error",
    overwrite: Overwrite = False,
    config: ConfigPath = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Add a score to every candidate pair, part by part."""
    reporter = progress(quiet)
    with reporter.task("loading libraries"):
        from recsparse.stages.score import HistoryOptions, parts_named
        from recsparse.stages.score import score as stage

    when_interrupted(lambda: parts_kept(place_of_work(out)))
    log = load_config(config, overrides or []).log
    start = HistoryOptions(dataset, parts_named(history_parts), history, log)
    rows = stage(model, candidates, out, None, on_unknown, reporter, start, overwrite)
    show_pairs("scored", {"scores": str(out), "rows": rows}, as_json)


@app.command()
def recommend(
    model: ModelAddress,
    out: OutPath,
    k: Annotated[int, typer.Option("-k", min=1, help="Items a user.")] = 20,
    users: Annotated[list[str] | None, typer.Option(help="Table with user_id.")] = None,
    dataset: HistoryOf = None,
    history_parts: HistoryParts = None,
    history: HistoryLog = None,
    on_unknown: UnknownIds = "error",
    overwrite: Overwrite = False,
    config: ConfigPath = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write the k best unseen items of each user."""
    reporter = progress(quiet)
    with reporter.task("loading libraries"):
        from recsparse.stages.score import RecommendOptions, parts_named
        from recsparse.stages.score import recommend as stage

    when_interrupted(lambda: parts_kept(place_of_work(out)))
    log = load_config(config, overrides or []).log
    parts = parts_named(history_parts)
    options = RecommendOptions(k, users, dataset, history, on_unknown, log, parts)
    count = stage(model, out, options, reporter, overwrite)
    show_pairs("recommended", {"recommendations": str(out), "users": count}, as_json)
