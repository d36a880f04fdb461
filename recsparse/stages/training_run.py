"""What a training records in MLflow: what it is made of before the fit, and what came out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsparse.config.config import Config
from recsparse.config.models import BlendConfig
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.dataset import Dataset
from recsparse.digest import digest
from recsparse.files.addresses import absolute
from recsparse.reporting.progress import Reporter
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.data_inputs import data_inputs
from recsparse.stages.fitted import Fitted
from recsparse.stages.job_tags import job_tags
from recsparse.tracking.model_address import is_model_uri
from recsparse.tracking.open_run import start_run
from recsparse.tracking.run import SCHEMA_ROWS, Run
from recsparse.tracking.run_name import run_name
from recsparse.tracking.store import tracking_uri
from recsparse.training.learning_curve import plot_learning_curve
from recsparse.training.part_weights import plot_part_weights
from recsparse.training.resumption import keep_run, kept_run


@dataclass(frozen=True)
class TrainingSource:
    """What a model is made from.

    Attributes:
        data: The dataset.
        dataset: Its folder or address.
        continue_from: The model that it continues from, if any.
    """

    data: Dataset
    dataset: str | Path
    continue_from: str | Path | None


class Epochs:
    """The metrics of each epoch, recorded as they come.

    Args:
        run: Where they are recorded.

    Attributes:
        metrics: What was recorded, by epoch.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.metrics: dict[int, dict[str, float]] = {}

    def add(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record metrics of an epoch, which may come in several parts."""
        self.metrics.setdefault(epoch, {}).update(metrics)
        self.run.log_metrics(metrics, step=epoch)


@contextmanager
def training_run(
    source: TrainingSource,
    checkpoints: Path,
    config: Config,
    store_folder: Path,
    reporter: Reporter,
) -> Iterator[Run]:
    """Open the run of a training, that of an interrupted one where there is one.

    Args:
        source: What the model is made from.
        checkpoints: Folder of the training's state, which remembers its run.
        config: The configuration.
        store_folder: Folder of the output.
        reporter: Shows that the store is waited for.

    Yields:
        The run, which holds the settings and the data.
    """
    uri, settings = tracking_uri(config.tracking, store_folder), digest(config.model_dump_json())
    kept = kept_run(checkpoints, uri, settings)
    with start_run(
        config.tracking,
        store_folder,
        run_name(config.model.kind),
        resume_run=kept,
        reporter=reporter,
        with_model=True,
    ) as run:
        with reporter.task("recording the dataset"):
            # Of a run that is resumed as well: the figures that follow are of them.
            inputs = data_inputs(source.data, source.dataset, ("train", "validation", "test"))
            run.log_inputs(inputs)
        if run.run_id != kept:
            _log_settings(run, source, config, inputs[0].digest)
            keep_run(checkpoints, run.run_id, run.uri, settings)
        yield run


def log_fitted(run: Run, fitted: Fitted, epochs: Mapping[int, Mapping[str, float]]) -> None:
    """Record what came out of a fit.

    Args:
        run: Its run.
        fitted: The model, and what is said of it.
        epochs: The metrics of each epoch, where there were epochs.
    """
    found = {} if fitted.new_items is None else fitted.new_items.figures
    run.log_metrics(
        {
            **{f"validation_{name}": value for name, value in fitted.validation.items()},
            "fit_seconds": fitted.seconds,
            **{f"new_items_{name}": value for name, value in found.items()},
        }
    )
    model = fitted.settled.model
    if isinstance(model, BlendConfig) and model.parts is not None:
        kinds = [part.kind for part in model.parts]
        run.set_tags({"parts": ", ".join(kinds)})
        if model.weights is not None:
            run.log_figure(plot_part_weights(kinds, model.weights), "part_weights.png")
    if epochs:
        run.log_figure(plot_learning_curve(epochs), "learning_curve.png")


def example_of(trained: TrainedModel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return some pairs of ids to score, and their scores.

    Args:
        trained: The model.

    Returns:
        Columns `user_id` and `item_id`; the column `score`.
    """
    rows = min(SCHEMA_ROWS, len(trained.users), len(trained.items))
    pairs = pd.DataFrame(
        {
            "user_id": trained.users.ids[:rows].to_pylist(),
            "item_id": trained.items.ids[:rows].to_pylist(),
        }
    )
    return pairs, pd.DataFrame({"score": trained.score(pairs)})


def _log_settings(run: Run, source: TrainingSource, config: Config, data_digest: str) -> None:
    settings = DataSettings.of(source.data.config, source.data.counts).laid_over(config)
    values: dict[str, Any] = settings.model_dump(mode="json")
    run.log_params({"seed": config.seed, "model": values["model"], "training": values["training"]})
    run.log_config(values)
    run.set_tags(
        {
            "kind": config.model.kind,
            "dataset": absolute(source.dataset),
            "dataset_digest": data_digest,
            "seed": str(config.seed),
            **_parent(source.continue_from),
            **job_tags(),
        }
    )


def _parent(model: str | Path | None) -> dict[str, str]:
    if model is None:
        return {}
    return {"parent_model": str(model) if is_model_uri(str(model)) else absolute(model)}
