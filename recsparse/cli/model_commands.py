"""Models: fitted, tuned, and ranked by the test part."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsparse.cli.app import app
from recsparse.cli.interrupt import training_kept, when_interrupted
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, RankedOptions, takes_lists
from recsparse.cli.options import (
    AsJson,
    ContinueFrom,
    DatasetPath,
    OutPath,
    Overwrite,
)
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import (
    show_comparison,
    show_frame,
    show_groups,
    show_json,
    show_pairs,
)
from recsparse.reporting.progress import SILENT
from recsparse.reporting.value_text import value_text

if TYPE_CHECKING:  # which takes a second to import
    from recsparse.evaluation.comparison import Comparison
    from recsparse.evaluation.ranking_result import RankingResult


@app.command()
@takes_lists
def train(
    dataset: DatasetPath,
    out: OutPath,
    resume: Annotated[bool, typer.Option(help="Resume from the last checkpoint.")] = False,
    fresh: Annotated[bool, typer.Option(help="Remove the last checkpoint and start anew.")] = False,
    continue_from: ContinueFrom = None,
    overwrite: Overwrite = False,
    again: Annotated[bool, typer.Option("--again", help="Train though nothing is new.")] = False,
    *,
    job: JobOptions,
) -> None:
    """Fit a model, record it in MLflow, write a model folder."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.train import train as stage

    when_interrupted(lambda: training_kept(place_of_work(out)))
    settings = job.settings()
    result = stage(dataset, out, settings, resume, reporter, continue_from, overwrite, fresh, again)
    shown = {
        "model": str(out),
        "trained": "now" if result.is_new else "before",
        "mlflow model": result.model_uri or ("not sent" if result.is_new else "sent before"),
        "fit seconds": result.fit_seconds,
        **{f"validation {name}": value for name, value in result.validation.items()},
        **{
            f"features of {kind}": read if job.as_json else _listed(read)
            for kind, read in result.features.items()
        },
    }
    if result.vector_bytes:
        size = result.vector_bytes
        shown["vectors of users"] = size if job.as_json else f"{size / 1e6:,.1f} MB"
    if result.new_items:
        metric, told = settings.evaluation.select_by, result.new_items
        shown["new items"] = told if job.as_json else _of_new_items(told, metric)
    show_pairs(f"model {out}", shown, job.as_json)


@app.command()
@takes_lists
def evaluate(
    models: Annotated[list[str], typer.Argument(help="Model folders, then the dataset folder.")],
    out: Annotated[str | None, typer.Option(help="Folder for the report.")] = None,
    overwrite: Overwrite = False,
    *,
    test: RankedOptions,
    job: JobOptions,
) -> None:
    """Rank the test part with one or several models, side by side."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.stages.evaluate import evaluate as stage

    if len(models) < 2:
        raise typer.BadParameter("name at least one model and then the dataset")
    *folders, dataset = models
    settings = job.settings(*test.settings())
    result = stage(folders, dataset, out, settings, reporter, overwrite)
    if job.as_json:
        show_json({name: _figures(each) for name, each in result.results.items()})
        return
    _show_compared(result)


@app.command()
@takes_lists
def evaluate_file(
    scored: Annotated[
        list[str], typer.Argument(help="Files of scores, ranks or lists, then the dataset folder.")
    ],
    out: Annotated[str | None, typer.Option(help="Folder for the report.")] = None,
    overwrite: Overwrite = False,
    *,
    test: RankedOptions,
    job: JobOptions,
) -> None:
    """Rank the test part by the files of any systems, side by side."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.stages.evaluate_file import evaluate_files as stage

    if len(scored) < 2:
        raise typer.BadParameter("name at least one file and then the dataset")
    *files, dataset = scored
    settings = job.settings(*test.settings())
    result = stage(files, dataset, out, settings, reporter, overwrite)
    told = {name: {**_figures(each), **each.coverage} for name, each in result.results.items()}
    if job.as_json:
        show_json(told if len(told) > 1 else next(iter(told.values())))
        return
    _show_compared(result)


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """Show the formula of every metric, and where it is from."""
    with loading_libraries(SILENT):
        from recsparse.metrics.definitions import DEFINITIONS

    described = {name: asdict(each) for name, each in DEFINITIONS.items()}
    if as_json:
        show_json(described)
    else:
        show_groups("metrics", described)


def _show_compared(compared: "Comparison") -> None:
    from recsparse.evaluation.comparison_tables import compared_on
    from recsparse.evaluation.slices import side_by_side

    first = compared.results[compared.reference]
    _show_counts(first)
    show_comparison(f"{compared_on(first)}: mean ± standard error", compared.table)
    sliced = side_by_side(compared.slices, compared.metric)
    if len(sliced):
        show_frame(f"{compared.metric} by slice: mean ± 95 % interval; * few users", sliced)
    for sentence in compared.verdict:
        typer.echo(sentence)


def _figures(result: "RankingResult") -> dict[str, Any]:
    """Return what machines read of one model: means, those of groups, and what was counted."""
    part = {} if result.part is None else {"test part": asdict(result.part)}
    groups = {
        name: {"users": some.num_users, **some.mean()} for name, some in result.groups().items()
    }
    users = {"users": result.num_users, "catalogue": result.catalogue}
    return {**result.mean(), **users, **_unknown(result), **groups, **part}


def _unknown(result: "RankingResult") -> dict[str, int]:
    return {
        "unknown items": result.unknown_items,
        "rows of unknown items": result.rows_of_unknown_items,
    }


def _show_counts(result: "RankingResult") -> None:
    from recsparse.evaluation.comparison_tables import compared_on, counts_table

    if result.part is not None:
        counts = counts_table(result.part).reset_index()
        show_frame(
            f"what is evaluated: {compared_on(result)}", counts.rename(columns={"counted": ""})
        )


def _listed(read: dict[str, int]) -> str:
    of_users = " of users"
    ids = {name: "users" if name.endswith(of_users) else "items" for name in read}
    return ", ".join(
        f"{name.removesuffix(of_users)} ({known:,} {ids[name]})" for name, known in read.items()
    )


def _of_new_items(told: dict[str, Any], metric: str) -> str:
    found = told["validation"]
    lines = [f"{told['items']:,} ranked by {', '.join(told['features'])}"]
    for targets, name in (("all targets", "all"), ("known items", "known")):
        figures = [found.get(f"{name}_{ending}") for ending in ("without_new", "with_new")]
        if None not in figures:
            lines.append(f"{metric} of {targets} {' → '.join(map(value_text, figures))}")
    if "all_with_new" in found and found["all_with_new"] <= found["all_without_new"]:
        lines.append("behind all known items, since no other place ranks all targets better")
    return "\n".join(lines)
