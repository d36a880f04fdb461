"""The third stage: models are ranked against the same test part, with significance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsparse.addresses import folder_of, is_address, last_name, local_path
from recsparse.config import Config
from recsparse.datasets.dataset import Dataset, EvaluationPart
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError
from recsparse.evaluation.evaluate import RankingResult
from recsparse.evaluation.report import comparison_table, write_report
from recsparse.filesystems import fetched
from recsparse.models.base import Recommender
from recsparse.reporting import SILENT, Advance, Reporter
from recsparse.scoring.model_folder import load_model, read_description
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.load import locate
from recsparse.stages.part import evaluate_part, part_to_rank
from recsparse.training.run import SCHEMA_ROWS
from recsparse.training.store import is_model_uri
from recsparse.training.tracking import check_store, log_to_run, start_run


@dataclass(frozen=True)
class Comparison:
    """Models beside each other on one test part.

    Attributes:
        results: Metrics of each model, a user at a time.
        table: One row a model: users with test rows, mean and standard error of each metric,
            coverage, and `fit seconds`, NaN where they were not recorded.
    """

    results: dict[str, RankingResult]
    table: pd.DataFrame


def evaluate(
    models: Sequence[str | Path],
    dataset: str | Path,
    out: str | Path | None = None,
    config: Config | None = None,
    reporter: Reporter = SILENT,
) -> Comparison:
    """Rank the full catalogue for every test user with each model.

    Models of ratings predict those of the test part, too: `rmse`, `mae` and the errors a user.
    What a test user did before, training and validation rows, is every model's input and is left
    out of the ranking.

    Args:
        models: Model folders or MLflow addresses; the first is the reference for significance.
        dataset: The dataset folder that they were trained on.
        out: Folder for the report; None writes none.
        config: Sections `evaluation` and `tracking`.
        reporter: Shows the progress.

    Returns:
        The comparison.

    Raises:
        InputError: If a model knows other items than the dataset, or two have the same name.
        StoreError: If an MLflow store cannot be reached or written; nothing is ranked then.
    """
    config, data = config or Config(), load_dataset(dataset)
    out = None if out is None else local_path(out)
    beside = folder_of(dataset) if out is None else out.parent
    folders = {_name(model): locate(model, beside) for model in models}
    if len(folders) != len(models):
        raise InputError(f"models must have different names, but got {[*map(str, models)]}")
    homes = {_name(model): _home(model, beside) for model in models}
    for home in set(homes.values()):
        check_store(config.tracking, home)
    if out is None:
        compared = _compare(folders, data, config, reporter)
    else:
        tags = {"models": ", ".join(folders)}
        with start_run(config.tracking, beside, "evaluate", tags) as run:
            rows = data.split.test.num_rows
            run.log_dataset(fetched(dataset), data.train_frame(SCHEMA_ROWS), rows, "testing")
            compared = _compare(folders, data, config, reporter)
            write_report(out, compared.results, compared.table, reference=next(iter(folders)))
            for file in sorted(out.iterdir()):
                run.log_file(file)
    for name, result in compared.results.items():
        _track_model(result, folders[name], config, homes[name])
    return compared


def _compare(
    folders: Mapping[str, Path], data: Dataset, config: Config, reporter: Reporter
) -> Comparison:
    part, results, seconds = part_to_rank(data, "test"), {}, []
    for name, folder in folders.items():
        trained = load_model(folder)
        _check_items(trained, data, name)
        with reporter.task(f"evaluating {name}", part.targets.shape[0]) as advance:
            results[name] = rank_part(trained.model, part, config, advance)
        seconds.append(float(read_description(folder)["training"].get("fit_seconds", np.nan)))
    table = comparison_table(results)
    table["fit seconds"] = seconds
    return Comparison(results, table)


def rank_part(
    model: Recommender, part: EvaluationPart, config: Config, advance: Advance | None = None
) -> RankingResult:
    """Rank the full catalogue for the users of one part; a model of ratings predicts theirs, too.

    Args:
        model: A fitted model.
        part: Histories and targets.
        config: List lengths and users a batch.
        advance: Called with the number of users done.

    Returns:
        Metrics a user.
    """
    return evaluate_part(
        model, part, config.evaluation.k, config.evaluation.batch_users, on_batch=advance
    )


def _name(model: str | Path) -> str:
    return str(model) if is_model_uri(str(model)) else last_name(model)


def _home(model: str | Path, beside: Path) -> Path:
    # A model from elsewhere has no store beside it.
    return beside if is_model_uri(str(model)) or is_address(model) else folder_of(model)


def _check_items(trained: TrainedModel, data: Dataset, name: str) -> None:
    if trained.items.ids.equals(data.items.ids):
        return
    raise InputError(
        f"{name} must know the same items as the dataset, but it knows {len(trained.items)} items "
        f"and the dataset has {len(data.items)}; evaluate it on the dataset it was trained on"
    )


def _track_model(result: RankingResult, folder: Path, config: Config, home: Path) -> None:
    """Put the test metrics into the run that trained the model."""
    figures = {**result.mean(), **result.coverage}
    metrics = {f"test_{metric}": value for metric, value in figures.items()}
    run_id = str(read_description(folder)["training"].get("run_id"))
    log_to_run(config.tracking, home, run_id, metrics)
