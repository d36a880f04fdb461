"""Batch scores and lists."""

from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.interrupt import parts_kept, when_interrupted
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, StartOptions, takes_lists
from recsparse.cli.options import (
    AsJson,
    HistoryLog,
    HistoryOf,
    HistoryParts,
    ModelAddress,
    NewItemsTable,
    OutPath,
    Overwrite,
    Quiet,
)
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import (
    show_pairs,
)


@app.command()
@takes_lists
def score(
    model: ModelAddress,
    candidates: Annotated[list[str], typer.Option(help="Pairs of user_id and item_id, as logs.")],
    out: OutPath,
    overwrite: Overwrite = False,
    *,
    start: StartOptions,
    job: JobOptions,
) -> None:
    """Add a score to every candidate pair, part by part."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.score import score as stage
        from recsparse.stages.start_of_scores import HistoryOptions, parts_named

    when_interrupted(lambda: parts_kept(place_of_work(out)))
    log = start.log(job)
    parts = parts_named(start.history_parts)
    histories = HistoryOptions(start.dataset, parts, start.history, log, start.new_items)
    rows = stage(model, candidates, out, None, start.on_unknown, reporter, histories, overwrite)
    show_pairs("scored", {"scores": str(out), "rows": rows}, job.as_json)


@app.command()
@takes_lists
def recommend(
    model: ModelAddress,
    out: OutPath,
    k: Annotated[int, typer.Option("-k", min=1, help="Items per user.")] = 20,
    users: Annotated[list[str] | None, typer.Option(help="Table with user_id.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which items of the history brought each item.")
    ] = False,
    overwrite: Overwrite = False,
    *,
    start: StartOptions,
    job: JobOptions,
) -> None:
    """Write the k best unseen items of each user."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.score import RecommendOptions
        from recsparse.stages.score import recommend as stage
        from recsparse.stages.start_of_scores import parts_named

    when_interrupted(lambda: parts_kept(place_of_work(out)))
    log = start.log(job)
    parts = parts_named(start.history_parts)
    options = RecommendOptions(
        k,
        users,
        start.dataset,
        start.history,
        start.on_unknown,
        log,
        parts,
        start.new_items,
        explain,
    )
    count = stage(model, out, options, reporter, overwrite)
    show_pairs("recommended", {"recommendations": str(out), "users": count}, job.as_json)


@app.command()
def similar(
    model: ModelAddress,
    out: OutPath,
    k: Annotated[int, typer.Option("-k", min=1, help="Items per item.")] = 10,
    items: Annotated[
        str | None, typer.Option(help="Table with item_id; all items without it.")
    ] = None,
    new_items: NewItemsTable = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write the k items that are most like each item, by what the model knows of items."""
    reporter = progress(quiet)
    with loading_libraries(reporter):
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.similar import similar as stage

    when_interrupted(lambda: parts_kept(place_of_work(out)))
    count = stage(model, out, items, k, reporter, overwrite, new_items)
    show_pairs("found", {"similar items": str(out), "items": count}, as_json)


@app.command()
@takes_lists
def vectors(
    model: ModelAddress,
    out: OutPath,
    of: Annotated[str, typer.Option(help="Whose: user or item.")] = "user",
    ids: Annotated[
        str | None, typer.Option(help="Table with user_id or item_id; all without it.")
    ] = None,
    dataset: HistoryOf = None,
    history_parts: HistoryParts = None,
    history: HistoryLog = None,
    overwrite: Overwrite = False,
    *,
    job: JobOptions,
) -> None:
    """Write the vectors of users or of items; the products of the two are the scores."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.start_of_scores import HistoryOptions, parts_named
        from recsparse.stages.vectors import axis_named
        from recsparse.stages.vectors import vectors as stage

    when_interrupted(lambda: parts_kept(place_of_work(out)))
    log = StartOptions(dataset, history_parts, history).log(job)
    histories = HistoryOptions(dataset, parts_named(history_parts), history, log)
    count = stage(model, out, axis_named(of), ids, reporter, histories, overwrite)
    show_pairs("written", {"vectors": str(out), f"{of}s": count}, job.as_json)
