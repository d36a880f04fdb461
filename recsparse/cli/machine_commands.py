"""What is installed, and what has run."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, takes_lists
from recsparse.cli.options import (
    AsJson,
)
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import (
    show_frame,
    show_json,
    show_pairs,
    show_runs,
)
from recsparse.reporting.progress import SILENT

if TYPE_CHECKING:  # which takes half a second to import
    import pandas as pd

# Of the best runs; --json has all.
_MOST_SHOWN = 10


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the installation: versions, kernels, threads, store, room, and what will hurt."""
    with loading_libraries(SILENT):
        from recsparse.stages.doctor import doctor as stage

    found = stage()
    if not as_json:
        found["advice"] = found["advice"] or "none is needed"
    show_pairs("installation", found, as_json)


@app.command()
@takes_lists
def runs(
    folder: Annotated[str, typer.Argument(help="Folder that holds mlflow.db.")] = ".",
    sync: Annotated[
        bool, typer.Option("--sync", "--send", help="First send what jobs could not.")
    ] = False,
    query: Annotated[
        str | None,
        typer.Option("--filter", help="MLflow's filter, as in metrics.test_ndcg_at_10 > .3"),
    ] = None,
    children: Annotated[
        bool,
        typer.Option("--children", help="List trials of searches and parts of backtests, too."),
    ] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Figures of two runs, by id, name or beginning of one."),
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="What two runs differ in: settings, data, figures, code."),
    ] = None,
    best: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Runs by a figure, the best first.")
    ] = None,
    *,
    job: JobOptions,
) -> None:
    """List the MLflow runs there, the newest first; --json has all their figures."""
    reporter = progress(job.quiet)
    if sum(each is not None for each in (query, compare, diff, best)) > 1:
        raise typer.BadParameter("give one of --filter, --compare, --diff and --best")
    with loading_libraries(reporter):
        from recsparse.stages.run_comparison import best_runs, compare_runs, diff_runs
        from recsparse.stages.runs import runs as stage
        from recsparse.stages.runs import sync_runs

    tracking = job.settings().tracking
    if sync:
        sync_runs(folder, tracking, reporter)
    if compare is not None:
        title, frame = "figures", compare_runs(folder, *compare, tracking, reporter)
    elif diff is not None:
        title, frame = "differences", diff_runs(folder, *diff, tracking, reporter)
    elif best is not None:
        title, frame = f"best by {best}", best_runs(folder, best, tracking, reporter)
    else:
        title = "runs"
        frame = stage(folder, tracking, reporter=reporter, query=query or "", children=children)
    if job.as_json:
        show_json(frame.to_dict("records"))
    elif title == "runs":
        show_runs(title, frame)
    elif best is not None:
        ids = frame["run_id"].str[:8]
        brief = frame[["experiment", "name", frame.columns[-1]]].assign(run=ids)
        show_frame(title, brief.head(_MOST_SHOWN), "name")
    else:
        _show_two(title, frame)


def _show_two(title: str, frame: "pd.DataFrame") -> None:
    names = "name" if "name" in frame else "metric"
    short = {label: _in_lines(label) for label in map(str, frame)}
    if len({*short.values()}) < len(short):
        short = {}
    texts = frame.loc[:, frame.dtypes == "object"]
    shown = frame.assign(**texts.where(texts.notna(), "–")).rename(columns=short)
    show_frame(title, shown, names)


def _in_lines(label: str) -> str:
    # Headings of runs, as ease-20261201-065018 (0123abcd), are wider than the figures below them.
    name, is_run, _ = label.partition(" (")
    return name.replace("-", "\n") if is_run else label
