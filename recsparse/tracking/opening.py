"""Opening: how the run of a job is found or made in the store in use."""

import logging
import os
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow.entities import LifecycleStage, LoggedModelStatus
from mlflow.tracking import MlflowClient
from mlflow.tracking.context.registry import resolve_tags

from recsparse.config.config import TrackingConfig
from recsparse.errors import StoreError
from recsparse.tracking.store import (
    ARTIFACTS,
    JOINED_RUN,
    local_uri,
    tracking_uri,
    without_password,
)

logger = logging.getLogger(__name__)

# By this name a model is found as runs:/…/model.
_MODEL = "model"
# What MLflow's pages and searches know our models by.
MODEL_TYPE = "ranker"


@dataclass(frozen=True)
class OpenedRun:
    """A run that was found or made.

    Attributes:
        run_id: MLflow's own id of it.
        recorded: Epochs whose figures it has from before, by the figure's name in MLflow.
        model_id: The logged model that it makes, if any.
    """

    run_id: str
    recorded: Mapping[str, Set[int]] = field(default_factory=dict)
    model_id: str | None = None


class Opening:
    """How the run of a job is found or made.

    Args:
        config: The tracking section.
        store_folder: Folder of the SQLite store where no address is set.
        name: Name of the run.
        tags: Tags of the run.
        resume_run: A run to resume, if any.
        with_model: Whether it makes a model.
    """

    def __init__(
        self,
        config: TrackingConfig,
        store_folder: str | Path,
        name: str,
        tags: Mapping[str, str],
        resume_run: str | None,
        with_model: bool,
    ) -> None:
        self.config, self.store_folder = config, store_folder
        self.name, self.tags, self.resume_run = name, tags, resume_run
        self.with_model = with_model
        # Of this process, only the first run joins that of `mlflow run`.
        self.joined = os.environ.pop(JOINED_RUN, None)

    def found_or_made(self) -> OpenedRun:
        """Find or make the run in the store in use.

        Returns:
            The run.

        Raises:
            StoreError: If the experiment was deleted.
            MlflowException: If the store refuses, or cannot be reached.
        """
        if self.config.register_as is not None:
            _check_registry(self.config.register_as)
        run_id = self._run_id()
        is_resumed = run_id == self.resume_run
        recorded = _recorded(run_id) if is_resumed else {}
        model_id = _model_begun(run_id, is_resumed) if self.with_model else None
        return OpenedRun(run_id, recorded, model_id)

    def _run_id(self) -> str:
        client = MlflowClient()
        if self.joined is not None:
            client.update_run(self.joined, status="RUNNING", name=self.name)
            for key, value in self.tags.items():
                client.set_tag(self.joined, key, value)
            return self.joined
        if self.resume_run is not None and _reopened(self.resume_run):
            return self.resume_run
        experiment = _experiment(self.config, self.store_folder)
        tags = resolve_tags(dict(self.tags))
        return str(client.create_run(experiment, tags=tags, run_name=self.name).info.run_id)


def knows_run(run_id: str) -> bool:
    """Say whether the store in use has a run.

    Args:
        run_id: The run.

    Returns:
        True where it has, be it deleted.

    Raises:
        MlflowException: If the store cannot be reached.
    """
    try:
        MlflowClient().get_run(run_id)
    except mlflow.MlflowException as error:
        if error.get_http_status_code() in (400, 404):
            return False
        raise
    return True


def _check_registry(name: str) -> None:
    try:
        MlflowClient().get_registered_model(name)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _reopened(run_id: str) -> bool:
    """Open a run again that was killed or failed; say so where that cannot be."""
    client, found = MlflowClient(), None
    if knows_run(run_id):
        found = client.get_run(run_id).info
    active = LifecycleStage.ACTIVE
    if found is None or found.lifecycle_stage != active or found.status == "FINISHED":
        logger.warning("run %s is gone or has finished; its work continues in a new run", run_id)
        return False
    client.update_run(run_id, status="RUNNING")
    return True


def _recorded(run_id: str) -> dict[str, set[int]]:
    client = MlflowClient()
    names = client.get_run(run_id).data.metrics
    return {
        name: {figure.step for figure in client.get_metric_history(run_id, name)} for name in names
    }


def _model_begun(run_id: str, is_resumed: bool) -> str:
    """Return the model that a run makes, which one that is resumed has from before."""
    client = MlflowClient()
    experiment = client.get_run(run_id).info.experiment_id
    found = is_resumed and client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    if found:
        client.finalize_logged_model(found[0].model_id, LoggedModelStatus.PENDING)
        return str(found[0].model_id)
    made = client.create_logged_model(experiment, _MODEL, run_id, model_type=MODEL_TYPE)
    return str(made.model_id)


def _experiment(config: TrackingConfig, store_folder: str | Path) -> str:
    client, uri = MlflowClient(), tracking_uri(config, store_folder)
    found = client.get_experiment_by_name(config.experiment)
    if found is None:
        is_local = uri == local_uri(store_folder)
        location = (Path(store_folder).resolve() / ARTIFACTS).as_uri() if is_local else None
        try:
            return str(client.create_experiment(config.experiment, artifact_location=location))
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            # Another job was faster.
            found = client.get_experiment_by_name(config.experiment)
    if found is None or found.lifecycle_stage != LifecycleStage.ACTIVE:
        raise StoreError(
            f"the experiment {config.experiment!r} of {without_password(uri)} must be in use, but "
            "it was deleted; restore it (`mlflow experiments restore`), or set "
            "tracking.experiment to another name"
        )
    return str(found.experiment_id)
