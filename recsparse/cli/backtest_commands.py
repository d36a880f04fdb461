"""Models over windows of time, or over folds and seeds."""

from dataclasses import dataclass, fields
from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.interrupt import cells_kept, when_interrupted
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, RankedOptions, WorkOptions, takes_lists
from recsparse.cli.options import ItemTable, Logs, OutPath, Overwrite, UserTable
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import show_frame, show_json

Models = Annotated[
    list[str], typer.Option(help="Kinds and TOML files, as in ease,ials,best.toml; first compared.")
]
_Length = "as in 7d, 12h or 4w."


@dataclass(frozen=True)
class BacktestOptions:
    """How a log is cut, as the section `backtest` says.

    Attributes:
        windows: Number of windows.
        every: Their length.
        until: When the last one ends.
        validation: Length of the validation part before each.
        history: How much before a window a model may know.
        gap: Time before a window of which nothing is known.
        folds: Number of folds, in the place of windows.
        seeds: Number of seeds.
    """

    windows: Annotated[int | None, typer.Option(help="Windows of time, at the log's end.")] = None
    every: Annotated[str | None, typer.Option(help=f"Length of a window, {_Length}")] = None
    until: Annotated[
        str | None, typer.Option(help="When the last window ends, as in 2026-12-01 (UTC).")
    ] = None
    validation: Annotated[
        str | None, typer.Option(help="Length of the validation part; else as a window.")
    ] = None
    history: Annotated[
        str | None, typer.Option(help=f"Know this much before a window, {_Length[:-1]}; else all.")
    ] = None
    gap: Annotated[
        str | None, typer.Option(help=f"Know nothing this long before a window, {_Length}")
    ] = None
    folds: Annotated[int | None, typer.Option(help="Random folds in place of windows.")] = None
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, from that set on.")] = None

    def settings(self) -> list[str]:
        """Return the settings that they stand for, none for those that are not given."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"backtest.{name}={value}" for name, value in given if value is not None]


@app.command()
@takes_lists
def backtest(
    logs: Logs,
    models: Models,
    out: OutPath,
    items: ItemTable = None,
    users: UserTable = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the datasets of all splits.")] = False,
    overwrite: Overwrite = False,
    *,
    cut: BacktestOptions,
    test: RankedOptions,
    work: WorkOptions,
    job: JobOptions,
) -> None:
    """Fit models on one window of a log after the other, and compare them over all."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.datasets.building.sources import Sources
        from recsparse.datasets.workspace import Resources
        from recsparse.outputs.claim import require_apart
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.backtest import backtest as stage
        from recsparse.stages.backtesting.page import verdict
        from recsparse.stages.backtesting.result import of_metric

    named = [name.strip() for each in models for name in each.split(",") if name.strip()]
    require_apart(out, [job.config, *(name for name in named if name.endswith(".toml"))])
    when_interrupted(lambda: cells_kept(place_of_work(out)))
    result = stage(
        Sources(logs=logs, items=items, users=users),
        named,
        out,
        job.settings(*cut.settings(), *test.settings()),
        reporter,
        Resources.named(work.memory, work.threads, work.spill),
        overwrite,
        keep,
    )
    if job.as_json:
        show_json(result.table.reset_index().to_dict("records"))
        return
    metric = result.metric
    table = of_metric(result.table, metric)[["users", "mean", "low", "high", "best in"]]
    title = f"{metric} over {len(result.splits)} splits; low and high: 95 % interval"
    show_frame(title, table.reset_index())
    if len(named) > 1:
        tested = of_metric(result.differences, metric).drop(columns=["splits", "standard error"])
        show_frame(f"{metric}, paired by user", tested.reset_index())
    for sentence in verdict(result):
        typer.echo(sentence)
