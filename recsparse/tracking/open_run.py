"""Jobs as runs of MLflow: opened before their work, ended with their status."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from recsparse.config.config import TrackingConfig
from recsparse.errors import MissingFileError, StoreError
from recsparse.files.atomic import require_room
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.tracking.contact import first_contact, is_back, ping, store_in_use
from recsparse.tracking.data_input import DataInput
from recsparse.tracking.delivery import deliver
from recsparse.tracking.opening import Opening, knows_run
from recsparse.tracking.outbox import ITS_MODEL, Outbox, read_records, send_kept
from recsparse.tracking.run import Run
from recsparse.tracking.store import (
    UNSENT,
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
    with_model: bool = False,
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
        with_model: Whether the run makes a model. MLflow then knows the model from now on, so that
            it gets all figures of its training, and as failed where the run does not finish.

    Yields:
        The run.

    Raises:
        OutputError: If the folder of the store cannot be made, or the output's disk is full.
        StoreError: If the store cannot be reached or written.
    """
    uri = tracking_uri(config, store_folder)
    require_room(Path(store_folder))
    opening = Opening(config, store_folder, name, dict(tags or {}), resume_run, with_model)
    with store_in_use(uri):
        with reporter.task("opening the run in MLflow"):
            found = first_contact(uri, opening.found_or_made, writes=True)
        kept = Path(store_folder).absolute() / UNSENT / found.run_id
        outbox = Outbox(kept, deliver, is_back=is_back)
        run = Run(found.run_id, uri, outbox, found.recorded, found.model_id)
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
    data: Sequence[DataInput] = (),
) -> None:
    """Add figures to a run that has ended and to its model, such as the model's test metrics.

    Where the store does not know the run, that is said in the log and nothing is recorded; where it
    is gone, they are kept in `mlflow.unsent`.

    Args:
        config: The tracking section.
        store_folder: Folder of the SQLite store where no address is set.
        run_id: The run.
        metrics: Names and values.
        tags: What they are of.
        data: The data that they are of.
    """
    uri, error = tracking_uri(config, store_folder), ""
    with store_in_use(uri):
        try:
            require_store(uri)
            known = first_contact(uri, lambda: knows_run(run_id))
        except MissingFileError:
            known = False
        except StoreError as gone:
            known, error = True, str(gone)
        if not known:
            shown = without_password(uri)
            logger.warning("run %s is not in %s; its metrics are not recorded", run_id, shown)
            return
        outbox = Outbox(Path(store_folder).absolute() / UNSENT / run_id, deliver, error)
        run = Run(run_id, uri, outbox, model_id=ITS_MODEL)
        run.log_inputs(data)
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
