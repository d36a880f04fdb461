"""Jobs as runs of MLflow: opened before their work, ended with their status."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import mlflow
from mlflow.entities import LifecycleStage
from mlflow.tracking import MlflowClient
from mlflow.tracking.context.registry import resolve_tags

from recsparse.config.config import TrackingConfig
from recsparse.errors import MissingFileError, StoreError
from recsparse.files.atomic import require_room
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.tracking.contact import first_contact, ping, store_in_use
from recsparse.tracking.delivery import deliver
from recsparse.tracking.outbox import Outbox, read_records, send_kept
from recsparse.tracking.run import Run
from recsparse.tracking.store import (
    ARTIFACTS,
    JOINED_RUN,
    UNSENT,
    local_uri,
    require_store,
    store_file,
    tracking_uri,
    without_password,
)

logger = logging.getLogger(__name__)


@contextmanager
def start_run(
    config: TrackingConfig,
    store_folder: str | Path,
    name: str,
    tags: Mapping[str, str] | None = None,
    resume_run: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[Run]:
    """Open a run in the configured experiment; an exception marks it as failed.

    An interrupt marks it as killed. Inside `mlflow run`, the run that MLflow has opened is joined.
    What the store does not take later on is kept in `mlflow.unsent` next to the output.

    Args:
        config: The tracking section.
        store_folder: Folder of the output, and of the SQLite store and its artifacts where no
            address is set.
        name: Name of the run.
        tags: Tags of the run.
        resume_run: A run that did not finish, to resume; where it is gone or has finished, that is
            said and a new one is opened.
        reporter: Shows that the store is waited for.

    Yields:
        The run.

    Raises:
        OutputError: If the folder of the store cannot be made, or the output's disk is full.
        StoreError: If the store cannot be reached or written.
    """
    uri = tracking_uri(config, store_folder)
    require_room(Path(store_folder))
    joined = os.environ.pop(JOINED_RUN, None)
    with store_in_use(uri):

        def open_run() -> str:
            if config.register_as is not None:
                _check_registry(config.register_as)
            if joined is not None:
                return _joined_run(joined, name, tags)
            if resume_run is not None and _reopened(resume_run):
                return resume_run
            experiment = _experiment(config.experiment, uri, store_folder)
            created = MlflowClient().create_run(
                experiment, tags=resolve_tags(dict(tags or {})), run_name=name
            )
            return str(created.info.run_id)

        with reporter.task("opening the run in MLflow"):
            run_id = first_contact(uri, open_run, writes=True)
            recorded = first_contact(uri, lambda: _recorded(run_id)) if run_id == resume_run else {}
        outbox = Outbox(Path(store_folder).absolute() / UNSENT / run_id, deliver)
        run = Run(run_id, uri, outbox, recorded)
        status = "KILLED"
        try:
            yield run
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            with reporter.task("ending the run in MLflow"):
                run.end(status)
                run.outbox.close(retry=status != "KILLED")


def check_store(config: TrackingConfig, store_folder: str | Path) -> None:
    """Find out before a long job whether a store on a network can be reached.

    A local file may be missing, or not ours to write: then a warning says which figures of runs are
    passed over, when it comes to that.

    Args:
        config: The tracking section.
        store_folder: Folder of the SQLite store where no address is set.

    Raises:
        StoreError: If the store cannot be reached.
    """
    uri = tracking_uri(config, store_folder)
    if store_file(uri) is None:
        with store_in_use(uri):
            first_contact(uri, ping)


def log_to_run(
    config: TrackingConfig,
    store_folder: str | Path,
    run_id: str,
    metrics: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add figures to a run that has ended, such as a model's test metrics.

    Where the store does not know the run, that is said in the log and nothing is recorded; where it
    is gone, they are kept in `mlflow.unsent`.

    Args:
        config: The tracking section.
        store_folder: Folder of the SQLite store where no address is set.
        run_id: The run.
        metrics: Names and values.
        tags: What they are of.
    """
    uri, error = tracking_uri(config, store_folder), ""
    with store_in_use(uri):
        try:
            require_store(uri)
            known = first_contact(uri, lambda: _knows_run(run_id))
        except MissingFileError:
            known = False
        except StoreError as gone:
            known, error = True, str(gone)
        if not known:
            shown = without_password(uri)
            logger.warning("run %s is not in %s; its metrics are not recorded", run_id, shown)
            return
        outbox = Outbox(Path(store_folder).absolute() / UNSENT / run_id, deliver, error)
        run = Run(run_id, uri, outbox)
        run.log_metrics(metrics)
        run.set_tags(tags or {})
        outbox.close(retry=not error)


def send_unsent(store_folder: str | Path, config: TrackingConfig | None = None) -> int:
    """Send what jobs could not send to their stores.

    Args:
        store_folder: Folder of the jobs' outputs.
        config: The tracking section; its address, where there is one, takes the place of those
            that the jobs had.

    Returns:
        How many records are left.

    Raises:
        StoreError: If a store cannot be reached.
    """
    left, uri = 0, config and config.uri
    for folder in sorted((Path(store_folder).absolute() / UNSENT).glob("*/")):
        records = read_records(folder)
        if not records:
            continue
        with store_in_use(uri or records[0].uri):
            first_contact(uri or records[0].uri, ping, writes=True)
            left += send_kept(
                folder, lambda record: deliver(replace(record, uri=uri or record.uri))
            )
    return left


def _knows_run(run_id: str) -> bool:
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
    if _knows_run(run_id):
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


def _joined_run(run_id: str, name: str, tags: Mapping[str, str] | None) -> str:
    client = MlflowClient()
    client.update_run(run_id, status="RUNNING", name=name)
    for key, value in (tags or {}).items():
        client.set_tag(run_id, key, value)
    return run_id


def _experiment(name: str, uri: str, store_folder: str | Path) -> str:
    client = MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None:
        is_local = uri == local_uri(store_folder)
        location = (Path(store_folder).resolve() / ARTIFACTS).as_uri() if is_local else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            # Another job was faster.
            found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != LifecycleStage.ACTIVE:
        raise StoreError(
            f"the experiment {name!r} of {without_password(uri)} must be in use, but it was "
            "deleted; restore it (`mlflow experiments restore`), or set tracking.experiment to "
            "another name"
        )
    return str(found.experiment_id)
