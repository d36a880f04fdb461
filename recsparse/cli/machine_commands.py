"""What is installed, and what has run."""

from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, takes_lists
from recsparse.cli.options import (
    AsJson,
)
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import (
    show_json,
    show_pairs,
    show_runs,
)
from recsparse.reporting.progress import SILENT


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
    *,
    job: JobOptions,
) -> None:
    """List the MLflow runs there, the newest first; --json has all their figures."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.stages.runs import runs as stage

    tracking = job.settings().tracking
    frame = stage(folder, tracking, sync, reporter)
    if job.as_json:
        show_json(frame.to_dict("records"))
    else:
        show_runs("runs", frame)
