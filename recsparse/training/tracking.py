"""Experiments in MLflow: the one module that imports it."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from matplotlib.figure import Figure
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Experiment
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient

from recsparse.atomic import make_folder
from recsparse.config import TrackingConfig
from recsparse.errors import MissingFileError
from recsparse.training.quiet import kept_environment, only_warnings
from recsparse.training.store import (
    ARTIFACTS,
    URI_VARIABLE,
    local_uri,
    require_store,
    tracking_uri,
)

logger = logging.getLogger(__name__)

_NO_LINKS_VARIABLE = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
# What MLflow warns of in each run, though nothing is wrong.
_HINTS = (
    "Hint: Inferred schema contains integer column",
    "The specified dataset source can be interpreted in multiple ways",
)


@dataclass(frozen=True)
class Run:
    """An active MLflow run.

    Attributes:
        run_id: MLflow's own id of the run.
        uri: The store that holds it.
    """

    run_id: str
    uri: str

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record settings, nested ones under dotted names.

        Args:
            params: Names and values.
        """
        mlflow.log_params(_flat(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures; `@` becomes `_at_`, since MLflow refuses it in a name.

        Args:
            metrics: Names and values.
            step: The epoch, where there is one.
        """
        values = {_metric_name(name): float(value) for name, value in metrics.items()}
        mlflow.log_metrics(values, step=step)

    def log_dataset(self, frame: pd.DataFrame, name: str, source: str, context: str) -> None:
        """Record which data the run saw: its schema, size and digest.

        Args:
            frame: The rows.
            name: What to call them.
            source: Where they came from.
            context: What they served for, such as "training".
        """
        mlflow.log_input(from_pandas(frame, source=source, name=name), context=context)

    def log_config(self, config: Mapping[str, Any], name: str = "config.json") -> None:
        """Record the whole configuration as an artifact of that name."""
        mlflow.log_dict(dict(config), name)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Record a picture as an artifact whose name ends in .png."""
        mlflow.log_figure(figure, name)

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Record a table, which MLflow shows, as an artifact whose name ends in .json."""
        mlflow.log_table(table, name)

    def log_file(self, path: str | Path) -> None:
        """Record a file as it is, under its own name."""
        mlflow.log_artifact(str(path))

    def log_model(
        self,
        folder: str | Path,
        example: tuple[pd.DataFrame, pd.DataFrame],
        register_as: str | None,
    ) -> str:
        """Record a model folder as an MLflow model that loads without pickle.

        Args:
            folder: The model folder.
            example: Rows to score and their scores; they give the signature.
            register_as: Name in the registry; None registers nothing.

        Returns:
            The model's address, good for `recsparse.load` and `mlflow.pyfunc.load_model`.
        """
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module="recsparse.scoring.pyfunc",
            data_path=str(folder),
            signature=infer_signature(*example),
            input_example=example[0],
            pip_requirements=["recsparse"],
            registered_model_name=register_as,
        )
        return str(info.model_uri)


@contextmanager
def start_run(
    config: TrackingConfig, beside: str | Path, name: str, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """Open a run in the configured experiment; an exception marks it as failed.

    Inside `mlflow run`, the run that MLflow has opened is joined.

    Args:
        config: The tracking section.
        beside: Folder of the SQLite store and its artifacts where no address is set.
        name: Name of the run.
        tags: Tags of the run.

    Yields:
        The active run.

    Raises:
        OutputError: If the folder of the store cannot be made.
    """
    uri = tracking_uri(config, beside)
    if uri == local_uri(beside):
        make_folder(beside)
    with _quiet_store(uri):
        joined = os.environ.get("MLFLOW_RUN_ID")
        experiment_id = None if joined else _experiment(config.experiment, uri, beside)
        with mlflow.start_run(
            run_id=joined, experiment_id=experiment_id, run_name=name, tags=dict(tags or {})
        ) as active:
            yield Run(active.info.run_id, uri)


def log_to_run(
    config: TrackingConfig, beside: str | Path, run_id: str, metrics: Mapping[str, float]
) -> None:
    """Add figures to a run that has ended, such as a model's test metrics.

    Where the store does not know the run, that is said in the log and nothing is recorded.

    Args:
        config: The tracking section.
        beside: Folder of the SQLite store where no address is set.
        run_id: The run.
        metrics: Names and values.
    """
    uri = tracking_uri(config, beside)
    try:
        require_store(uri)
        with _quiet_store(uri):
            client = MlflowClient()
            for name, value in metrics.items():
                client.log_metric(run_id, _metric_name(name), float(value))
    except (MissingFileError, mlflow.MlflowException):
        logger.warning("run %s is not in %s; its metrics are not recorded", run_id, uri)


def download_model(address: str, uri: str) -> Path:
    """Fetch a logged or registered model and return its model folder.

    Args:
        address: `runs:/<run>/model`, `models:/<name>@<alias>` and the like.
        uri: The store that knows it.

    Returns:
        The folder as it was logged.

    Raises:
        MissingFileError: If the store has no such model.
    """
    require_store(uri)
    try:
        with _quiet_store(uri):
            local = Path(mlflow.artifacts.download_artifacts(address))
            data = mlflow.models.Model.load(str(local)).flavors["python_function"]["data"]
    except (mlflow.MlflowException, OSError, KeyError) as error:
        raise MissingFileError(
            f"{address} must be a recsparse model in the MLflow store {uri}, but {error}; "
            "set MLFLOW_TRACKING_URI to the right store"
        ) from error
    return local / str(data)


def list_runs(uri: str, experiment: str) -> pd.DataFrame:
    """Return the runs of an experiment, the newest first.

    Args:
        uri: The store.
        experiment: Name of the experiment.

    Returns:
        One row a run: MLflow's columns (`run_id`, `status`, `metrics.…`, `params.…`, `tags.…`).

    Raises:
        MissingFileError: If there is no such store, or no such experiment in it.
    """
    require_store(uri)
    with _quiet_store(uri):
        if mlflow.get_experiment_by_name(experiment) is None:
            known = ", ".join(sorted(found.name for found in mlflow.search_experiments()))
            raise MissingFileError(
                f"{uri} must hold the experiment {experiment!r}, but it holds {known or 'none'}"
            )
        return mlflow.search_runs(experiment_names=[experiment])


@contextmanager
def _quiet_store(uri: str) -> Iterator[None]:
    """Use one store, and keep back what MLflow says of its tables, its hints and its links.

    MLflow leaves the address in the environment, where the next job would take it for the user's.
    """
    with (
        warnings.catch_warnings(),
        only_warnings("mlflow", "alembic"),
        kept_environment(URI_VARIABLE, _NO_LINKS_VARIABLE),
    ):
        for hint in _HINTS:
            warnings.filterwarnings("ignore", hint)
        os.environ[_NO_LINKS_VARIABLE] = "true"
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def _experiment(name: str, uri: str, beside: str | Path) -> str:
    found: Experiment | None = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    is_local = uri == local_uri(beside)
    location = (Path(beside).resolve() / ARTIFACTS).as_uri() if is_local else None
    return str(mlflow.create_experiment(name, artifact_location=location))


def _metric_name(name: str) -> str:
    return name.replace("@", "_at_")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
