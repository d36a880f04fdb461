"""The third stage: models are ranked against the same test part, with significance."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsparse.config.config import Config
from recsparse.datasets.dataset import Dataset
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.evaluation.comparison import Comparison, compare
from recsparse.evaluation.comparison_tables import compared_on
from recsparse.evaluation.examples import Titles
from recsparse.evaluation.ranking_result import RankingResult
from recsparse.evaluation.report import REPORT, write_report
from recsparse.evaluation.slices_of_part import SlicedPart
from recsparse.files.addresses import folder_of, is_address, last_name
from recsparse.files.filesystems import fetched
from recsparse.metrics.list_context import ListContext
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.outputs.claim import claim
from recsparse.outputs.job import Job
from recsparse.reporting.progress import SILENT, Advance, Reporter
from recsparse.scoring.model_folder import load_items, load_model, read_model_description
from recsparse.stages.compared_part import part_to_compare
from recsparse.stages.data import load_data
from recsparse.stages.data_inputs import data_inputs
from recsparse.stages.item_titles import item_titles
from recsparse.stages.list_context import list_context, require_context, sampled_negatives
from recsparse.stages.load import locate
from recsparse.stages.rank_part import evaluate_part
from recsparse.stages.tracked_comparison import TrackedComparison
from recsparse.stages.user_features import features_in
from recsparse.tracking.model_address import is_model_uri
from recsparse.tracking.open_run import check_store, start_run
from recsparse.tracking.run_name import run_name


def evaluate(
    models: Sequence[str | Path],
    dataset: str | Path,
    out: str | Path | None = None,
    config: Config | None = None,
    reporter: Reporter = SILENT,
    overwrite: bool = True,
) -> Comparison:
    """Rank a catalogue of items for every test user with each model.

    Models of ratings predict those of the test part, too: `rmse`, `mae` and the errors a user.
    What a test user did before, training and validation rows, is every model's input and is left
    out of the ranking. Users without training rows are ranked for by what they did before their
    first test row, be it nothing; in a split by time again before each later test row, by all that
    they had done by then, and a user's figures are the means over these lists.

    Items are matched by id, so that models of other datasets can be compared as well. A test item
    that a model does not know is a miss for it; `evaluation.catalogue` and
    `evaluation.include_users` say which items and users count. Where `evaluation.catalogue` is not
    set, these are the items of the training part if every test item is one, and else all.

    Args:
        models: Model folders or MLflow addresses; the first is the reference for significance.
            They go by the names of their folders, those of one name by their paths.
        dataset: The dataset folder whose test part is to be predicted.
        out: Folder for the report; None writes none.
        config: Sections `evaluation` and `tracking`.
        reporter: Shows the progress.
        overwrite: Replace a report on other models, data or settings.

    Returns:
        The comparison.

    Raises:
        OutputError: If the output is an input, or not ours to replace; nothing is touched then.
        InputError: If a model knows none of the dataset's items, two have the same name, or nothing
            of the test part is left.
        StoreError: If an MLflow store cannot be reached or written; nothing is ranked then.
    """
    config, data = config or Config(), load_data(dataset, reporter)
    store_folder = folder_of(dataset if out is None else out)
    given = dict(zip(_names(models), models, strict=True))
    with reporter.task("checking the models"):
        folders = {
            name: locate(model, store_folder, reporter, config.tracking)
            for name, model in given.items()
        }
        items = {name: load_items(folder) for name, folder in folders.items()}
        _check(items, data, config)
    homes = {name: _home(model, store_folder) for name, model in given.items()}
    with reporter.task("looking for MLflow"):
        for home in set(homes.values()):
            check_store(config.tracking, home)
    (tested,) = data_inputs(data, dataset, ["test"])
    tracked = TrackedComparison(config.tracking, folders, homes, tested)
    if out is None:
        compared = _compare(folders, items, data, config, reporter)
    else:
        tags = {"models": ", ".join(folders)}
        job = Job.of("evaluate", [*folders.values(), dataset], config.evaluation.model_dump())
        with (
            claim(out, REPORT, job, overwrite, reporter=reporter) as output,
            start_run(
                config.tracking, store_folder, run_name("evaluate"), tags, reporter=reporter
            ) as run,
        ):
            with reporter.task("recording the dataset"):
                tracked.log_inputs(run)
            compared = _compare(folders, items, data, config, reporter, item_titles(dataset))
            with reporter.task("writing the report"):
                title = f"{compared_on(compared.results[compared.reference])} of {dataset}"
                write_report(output, compared, config.evaluation, title)
            with reporter.task("recording the report"):
                tracked.log_results(run, compared)
                for file in sorted(fetched(out).iterdir()):
                    run.log_file(file)
    with reporter.task("recording the figures of the models"):
        tracked.log_to_models(compared)
    return compared


def _compare(
    folders: Mapping[str, Path],
    items: Mapping[str, Vocabulary],
    data: Dataset,
    config: Config,
    reporter: Reporter,
    titles: Titles | None = None,
) -> Comparison:
    results, seconds = {}, {}
    with reporter.task("reading the test part"):
        compared = part_to_compare(data, "test", config.evaluation, [*items.values()])
        sliced = SlicedPart.of(data, "test", compared.part, config.evaluation)
    part = compared.part
    for name, folder in folders.items():
        with reporter.task(f"loading {name}"):
            trained, candidates = load_model(folder), compared.items.chosen(items[name])
        with reporter.task(f"evaluating {name}", len(part.lists)) as advance:
            lists, users = part.by_catalogue(items[name]), features_in(trained, part.user_ids)
            context = list_context(data, items[name], config.evaluation.metrics)
            ranked = rank_part(
                trained.model, lists, config, advance, candidates, users, trained.popularity(),
                context,
            )  # fmt: skip
        results[name] = compared.result(ranked, items[name])
        training = read_model_description(folder)["training"]
        seconds[name] = float(training.get("fit_seconds", np.nan))
    with reporter.task("comparing"):
        return compare(results, seconds, sliced, config.seed, titles)


def rank_part(  # noqa: PLR0913 (one parameter per option)
    model: FittedModel,
    part: Lists,
    config: Config,
    advance: Advance | None = None,
    candidates: NDArray[np.bool_] | None = None,
    users: Features | None = None,
    popularity: NDArray[np.float32] | None = None,
    context: ListContext | None = None,
) -> RankingResult:
    """Rank the full catalogue for the users of one part; a model of ratings predicts theirs, too.

    Args:
        model: A fitted model.
        part: Histories and targets of the lists.
        config: List lengths and lists per batch.
        advance: Called with the number of lists done.
        candidates: Which items of the model may be in the lists; None for all that it knows.
        users: Features of the users of the part; None where the model reads none.
        popularity: The share of each item, for users of whom the model knows nothing.
        context: What is known of the items, for metrics that need it.

    Returns:
        Metrics a user.
    """
    options = config.evaluation
    return evaluate_part(
        model, part, options.metrics, options.batch_users, advance, candidates, users, popularity,
        context, sampled_negatives(config),
    )  # fmt: skip


def _names(models: Sequence[str | Path]) -> list[str]:
    # By their folders or, where several have one name, by where these are.
    short = [str(model) if is_model_uri(str(model)) else last_name(model) for model in models]
    names = [
        str(model) if short.count(name) > 1 else name
        for name, model in zip(short, models, strict=True)
    ]
    if len({*names}) != len(models):
        raise InputError(f"models must have different names, but got {[*map(str, models)]}")
    return names


def _home(model: str | Path, store_folder: Path) -> Path:
    # A model from elsewhere has no store next to it.
    return store_folder if is_model_uri(str(model)) or is_address(model) else folder_of(model)


def _check(items: Mapping[str, Vocabulary], data: Dataset, config: Config) -> None:
    require_context(data, config.evaluation.metrics)
    for name, own in items.items():
        if own.ids.type != data.items.ids.type:
            raise InputError(
                f"{name} must know items by ids of the dataset's type, {data.items.ids.type}, but "
                f"knows them by {own.ids.type}; evaluate it on a dataset with such ids"
            )
        if not (own.index_of(data.items.ids) >= 0).any():
            raise InputError(
                f"{name} must know items of the dataset, but of its {len(own)} items none is among "
                f"the {len(data.items)} of the training part; evaluate it on a dataset of its own "
                "items"
            )
