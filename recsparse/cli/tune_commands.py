"""Settings of models: searched on the validation part."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsparse.cli.app import app
from recsparse.cli.interrupt import trials_kept, when_interrupted
from recsparse.cli.loading import loading_libraries
from recsparse.cli.option_lists import JobOptions, TuneOptions, takes_lists
from recsparse.cli.options import DatasetPath, OutPath, Overwrite, Tries
from recsparse.cli.reporters import progress
from recsparse.cli.terminal import show_frame, show_json, show_pairs

if TYPE_CHECKING:  # which takes a second to import
    import pandas as pd

    from recsparse.stages.tuning.search import TuneResult

# Of these the best are shown; all are in MLflow.
_MOST_SHOWN = 10


@app.command()
@takes_lists
def tune(
    dataset: DatasetPath,
    out: OutPath,
    tries: Tries = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Kinds of models to search, as in ease,ials, each with the whole budget; --out is "
            "then a folder."
        ),
    ] = None,
    overwrite: Overwrite = False,
    fresh: Annotated[bool, typer.Option(help="Remove earlier trials and start anew.")] = False,
    *,
    budget: TuneOptions,
    job: JobOptions,
) -> None:
    """Search a model's settings on the validation part; --out is the TOML of the best."""
    reporter = progress(job.quiet)
    with loading_libraries(reporter):
        from recsparse.config.toml_reader import parse_space
        from recsparse.outputs.claim import require_apart
        from recsparse.outputs.places import place_of_work
        from recsparse.stages.tune import tune as stage
        from recsparse.stages.tuning.kinds import tune_kinds

    settings = job.settings(*budget.settings())
    require_apart(out, [job.config])
    if kinds is None:
        space = parse_space(tries) if tries else None
        when_interrupted(lambda: trials_kept(place_of_work(out)))
        result = stage(dataset, settings, out, space, reporter, overwrite, fresh)
        _show_trials(settings.model.kind, result, job.as_json)
        return
    if tries:
        raise typer.BadParameter("--try is of one kind of model; leave out --try, or --kinds")
    when_interrupted(lambda: trials_kept(place_of_work(out), of_kinds=True))
    named = [kind.strip() for kind in kinds.split(",")]
    found = tune_kinds(dataset, named, out, settings, reporter, overwrite, fresh)
    if job.as_json:
        show_json(found.table.to_dict("records"))
    else:
        show_frame("the best of each kind", _without_empty(found.table))


def _show_trials(kind: str, result: "TuneResult", as_json: bool) -> None:
    trials = result.trials
    if as_json:
        show_json(trials.to_dict("records"))
        return
    counts = trials["state"].value_counts().items()
    counted = ", ".join(f"{number} {state}" for state, number in counts)
    first = trials.head(_MOST_SHOWN)
    # A state that is that of all stands above.
    alike = ["state"] if first["state"].nunique() == 1 else []
    shown = _without_empty(first.drop(columns=alike))
    show_frame(f"trials of {kind}, best first: {counted}", shown)
    if result.importances:
        shares = {name: f"{share:.0%}" for name, share in result.importances.items()}
        show_pairs("what makes trials differ", shares)


def _without_empty(table: "pd.DataFrame") -> "pd.DataFrame":
    return table if table["reason"].any() else table.drop(columns="reason")
