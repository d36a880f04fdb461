"""What comes before a model: data sets, logs, datasets."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, WorkOptions, takes_lists
from recsparse.cli.options import (
    Again,
    AppendTo,
    AsJson,
    IdsFrom,
    ItemTable,
    Logs,
    OnlyNew,
    OutPath,
    Overwrite,
    Quiet,
    Strict,
    TestLogs,
    UserTable,
    ValidationLogs,
    Where,
)
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import (
    show_groups,
    show_json,
    show_pairs,
)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the data set, such as movielens-100k.")],
    out: Annotated[str | None, typer.Option(help="Folder; the user's cache by default.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Download a public data set, check it, and show its terms."""
    reporter = progress(quiet)
    with loading_libraries(reporter):
        from recsparse.datasets.public.catalogue import KNOWN
        from recsparse.stages.fetch import fetch as stage

    folder = str(stage(name, out, reporter))
    show_pairs(name, {"folder": folder, **asdict(KNOWN[name].terms)}, as_json)


@app.command()
@takes_lists
def prepare(
    logs: Logs,
    out: OutPath,
    items: ItemTable = None,
    users: UserTable = None,
    validation: ValidationLogs = None,
    test: TestLogs = None,
    append: AppendTo = None,
    ids_from: IdsFrom = None,
    only_new: OnlyNew = False,
    again: Again = False,
    where: Where = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    *,
    work: WorkOptions,
    job: JobOptions,
) -> None:
    """Turn logs of any size into a dataset folder: checked, split, indexed."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.datasets.building.sources import Sources
        from recsparse.datasets.workspace import Resources
        from recsparse.stages.prepare import prepare as stage

    settings = ["log.strict=true"] if strict else []
    if where is not None:
        settings.append(f"log.where={json.dumps(where, ensure_ascii=False)}")
    if again and only_new:
        raise typer.BadParameter("--again and --only-new exclude each other")
    sources = Sources(
        logs=logs,
        validation=validation or (),
        test=test or (),
        items=items,
        users=users,
        append_to=append,
        ids_from=ids_from,
        repeats="take" if again else "skip" if only_new else "refuse",
    )
    dataset = stage(
        sources,
        out,
        config=job.settings(*settings),
        reporter=reporter,
        resources=Resources.named(work.memory, work.threads, work.spill),
        overwrite=overwrite,
    )
    show_pairs(f"dataset {out}", {"dataset": str(out), **dataset.counts}, job.as_json)


@app.command()
@takes_lists
def describe(
    paths: Annotated[list[str], typer.Argument(help="Dataset folder, or logs as prepare takes.")],
    html: Annotated[str | None, typer.Option(help="File for a page with pictures.")] = None,
    overwrite: Overwrite = False,
    *,
    work: WorkOptions,
    job: JobOptions,
) -> None:
    """Describe a log of any size, or a dataset."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.datasets.reading.find_files import named
        from recsparse.datasets.workspace import Resources
        from recsparse.stages.describe import describe as stage

    log = job.settings().log
    resources = Resources.named(work.memory, work.threads, work.spill)
    groups = stage(paths, log, html, resources, reporter, overwrite)
    if job.as_json:
        show_json(groups)
    else:
        show_groups(named(paths), groups)
