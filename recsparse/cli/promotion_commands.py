"""Promotion: which of a registered model's versions jobs load by its alias."""

from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.exit import NOT_PROMOTED
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, RankedOptions, takes_lists
from recsparse.cli.options import Overwrite
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import show_frame, show_json


@app.command()
@takes_lists
def promote(
    candidate: Annotated[str, typer.Argument(help="Model folder or MLflow address.")],
    over: Annotated[str, typer.Option(help="Alias to move, as models:/NAME@champion.")],
    on: Annotated[str, typer.Option(help="Dataset folder; both rank its test part.")],
    out: Annotated[str | None, typer.Option(help="Folder for a report on both.")] = None,
    overwrite: Overwrite = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    *,
    test: RankedOptions,
    job: JobOptions,
) -> None:
    """Move an alias to a model that is better than who has it; exit 3 if it is not.

    The section `promotion` of the configuration says what better is.
    """
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.stages.promote import promote as stage

    settings = job.settings(*test.settings())
    result = stage(candidate, over, on, settings, dry_run, reporter, out, overwrite)
    if job.as_json:
        show_json(result.summary())
    else:
        if result.checks:
            passed = result.table["passed"].map({True: "yes", False: "no"})
            title = f"{result.name}: the candidate and version {result.champion}"
            show_frame(title, result.table.assign(passed=passed))
        typer.echo(str(result))
    if not result.promoted:
        raise typer.Exit(NOT_PROMOTED)
