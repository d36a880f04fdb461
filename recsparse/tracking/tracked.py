"""What an MLflow store holds: models and runs."""

import os
from http import HTTPStatus
from pathlib import Path

import mlflow
import pandas as pd
import yaml
from mlflow.entities import LifecycleStage, Run

from recsparse.errors import InputError, MissingFileError, ModelFolderError, StoreError
from recsparse.tracking.contact import first_contact, ping, store_in_use
from recsparse.tracking.root_cause import root_cause
from recsparse.tracking.store import JOINED_RUN, require_store, without_password


def download_model(address: str, uri: str) -> Path:
    """Fetch a logged or registered model and return its model folder.

    Args:
        address: `runs:/<run>/model`, `models:/<name>@<alias>` and the like.
        uri: The store that knows it.

    Returns:
        The folder as it was logged.

    Raises:
        MissingFileError: If the store has no such model.
        StoreError: If the store cannot be reached.
        ModelFolderError: If what it says to be the model's folder is outside of what was logged.
    """
    require_store(uri)
    try:
        with store_in_use(uri):
            first_contact(uri, ping)
            local = _downloaded(address)
            # MLflow itself would read a percent sign in the path as the start of a code.
            described = yaml.safe_load((local / "MLmodel").read_text(encoding="utf-8"))
            data = described["flavors"]["python_function"]["data"]
    except (StoreError, MissingFileError):
        raise
    except (
        mlflow.MlflowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        yaml.YAMLError,
    ) as error:
        raise MissingFileError(
            f"{address} must be a recsparse model in the MLflow store {without_password(uri)}, but "
            f"{root_cause(error)}; set MLFLOW_TRACKING_URI to the right store"
        ) from error
    root, folder = local.resolve(), (local / str(data)).resolve()
    # A path of its own, or links, could lead to any file of this machine.
    outside = [each for each in (folder, *folder.glob("*")) if not _is_inside(each, root)]
    if outside:
        raise ModelFolderError(
            f"the model folder of {address} must lie within the artifact, but its MLmodel names "
            f"{data!r}, which leads to {outside[0].resolve()}; log the model again"
        )
    return folder


def _downloaded(address: str) -> Path:
    failed: mlflow.MlflowException | None = None
    try:
        local = Path(mlflow.artifacts.download_artifacts(address))
    except mlflow.MlflowException as error:
        failed = error
    # Of a model whose training did not finish there is an empty folder.
    if failed is not None or not (local / "MLmodel").is_file():
        missing = run_without_model(address)
        if missing is not None:
            raise missing from failed
    if failed is not None:
        raise failed
    return local


def run_without_model(address: str) -> MissingFileError | None:
    """Return what to say of a run from which no model can be fetched.

    Args:
        address: Of a model, in the store in use.

    Returns:
        The error; None where the address names no run that the store has.
    """
    run = _run_of(address)
    if run is None:
        return None
    return MissingFileError(
        f"the run of {address} must have logged a model, but {run.info.run_name} "
        f"({run.info.status}) has not: a training logs its model when it has finished, and other "
        "jobs log none; name another run, as `recsparse runs --best ndcg@10` lists them"
    )


def _run_of(address: str) -> Run | None:
    """Return the run of an address that begins with `runs:/`, if the store has it."""
    if not address.startswith("runs:/"):
        return None
    try:
        return mlflow.get_run(address.removeprefix("runs:/").partition("/")[0])
    except mlflow.MlflowException:
        return None


def list_runs(uri: str, experiment: str | None = None, query: str = "") -> pd.DataFrame:
    """Return the runs of a store, the newest first.

    Args:
        uri: The store.
        experiment: Name of the experiment; None for those of all.
        query: MLflow's own filter, such as `metrics.test_ndcg_at_10 > 0.3`; empty for all.

    Returns:
        One row per run: `experiment`, its name, and MLflow's columns (`run_id`, `status`,
        `metrics.…`, `params.…`, `tags.…`).

    Raises:
        MissingFileError: If there is no such store, or no such experiment in it.
        InputError: If MLflow does not understand the filter.
        StoreError: If the store cannot be reached.
    """
    require_store(uri)
    with store_in_use(uri):
        known = first_contact(uri, mlflow.search_experiments)
        names = {found.experiment_id: found.name for found in known}
        wanted = [key for key, name in names.items() if experiment in (None, name)]
        if not wanted and experiment is not None:
            raise MissingFileError(
                f"{without_password(uri)} must hold the experiment {experiment!r}, but it holds "
                f"{', '.join(sorted(names.values())) or 'none'}"
            )
        found = _searched(wanted, query)
    named = found.get("experiment_id", pd.Series(dtype=str)).map(names)
    return found.assign(experiment=named)


def _searched(experiments: list[str], query: str) -> pd.DataFrame:
    try:
        return mlflow.search_runs(experiments, query)
    except mlflow.MlflowException as error:
        if not query or error.get_http_status_code() != HTTPStatus.BAD_REQUEST:
            raise
        raise InputError(
            f"the filter must be one of MLflow's, such as \"metrics.test_ndcg_at_10 > 0.3 and "
            f"tags.kind = 'ease'\", but got {query!r}: {root_cause(error)}"
        ) from error


def is_recorded(uri: str, run_id: str) -> bool:
    """Say whether a job is recorded, so that nothing of it is left to be.

    Args:
        uri: The store.
        run_id: Its run.

    Returns:
        True where the run has finished, was not deleted, and MLflow has not opened another one for
        the job that asks.

    Raises:
        StoreError: If the store cannot be reached.
    """
    if JOINED_RUN in os.environ:
        return False
    with store_in_use(uri):
        try:
            require_store(uri)
        except MissingFileError:
            return False
        return first_contact(uri, lambda: _has_finished(run_id))


def _has_finished(run_id: str) -> bool:
    try:
        found = mlflow.get_run(run_id).info
    except mlflow.MlflowException as error:
        if error.get_http_status_code() in (400, 404):
            return False
        raise
    return bool(found.lifecycle_stage == LifecycleStage.ACTIVE and found.status == "FINISHED")


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)
