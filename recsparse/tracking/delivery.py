"""How each kind of record gets into an MLflow store."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from recsparse.errors import InputError
from recsparse.tracking.contact import one_process, patience
from recsparse.tracking.model_record import send_model
from recsparse.tracking.outbox import Kind, Record, Refused
from recsparse.tracking.store import store_file

# A busy server answers within seconds; one that is gone must not hold up a job for long.
ANSWER_SECONDS, ANSWER_RETRIES = 20.0, 2
# A job that was stopped waits for a moment only.
LAST_WORD_SECONDS = 2.0
# MLflow takes this many at a time.
_MOST_PARAMS, _MOST_METRICS = 100, 1000
_CLIENT_ERRORS, _ASK_AGAIN = range(400, 500), (408, 429)


def deliver(record: Record) -> str | None:
    """Send a record to the store that is in use.

    Args:
        record: The record.

    Returns:
        The address of a model; None for other kinds.

    Raises:
        Refused: If the store answers that it will not take it.
        MlflowException: If the store cannot be reached.
    """
    seconds, retries = ANSWER_SECONDS, ANSWER_RETRIES
    if record.values.get("status") == "KILLED":
        seconds, retries = LAST_WORD_SECONDS, 0
    # The upload of a model takes as long as it takes.
    waiting = nullcontext() if record.kind == "model" else patience(seconds, retries)
    try:
        with waiting:
            return _SENDERS[record.kind](record)
    except InputError as error:
        raise Refused(str(error)) from error
    except mlflow.MlflowException as error:
        status = error.get_http_status_code()
        if status in _CLIENT_ERRORS and status not in _ASK_AGAIN:
            raise Refused(str(error)) from error
        raise


def _send_params(record: Record) -> None:
    params = [Param(name, str(value)) for name, value in record.values.items()]
    for start in range(0, len(params), _MOST_PARAMS):
        MlflowClient().log_batch(record.run_id, params=params[start : start + _MOST_PARAMS])


def _send_tags(record: Record) -> None:
    tags = [RunTag(name, value) for name, value in record.values.items()]
    MlflowClient().log_batch(record.run_id, tags=tags)


def _send_metrics(record: Record) -> None:
    values = record.values
    metrics = [
        Metric(name, value, values["time"], values["step"])
        for name, value in values["metrics"].items()
    ]
    for start in range(0, len(metrics), _MOST_METRICS):
        MlflowClient().log_batch(record.run_id, metrics[start : start + _MOST_METRICS])


def _send_dataset(record: Record) -> None:
    values = dict(record.values)
    tags = [InputTag("mlflow.data.context", values.pop("context"))]
    MlflowClient().log_inputs(record.run_id, [DatasetInput(Dataset(**values), tags)])


def _send_file(record: Record) -> None:
    MlflowClient().log_artifact(record.run_id, str(record.file_there()))


def _send_table(record: Record) -> None:
    file = record.file_there()
    columns = json.loads(file.read_text(encoding="utf-8"))
    MlflowClient().log_table(record.run_id, columns, file.name)


def _register_model(record: Record) -> None:
    values = record.values
    address = values["address"] or f"runs:/{record.run_id}/model"
    file = store_file(record.uri)
    # Jobs that register at once would be given the same number of a version.
    with nullcontext() if file is None else one_process(file):
        mlflow.register_model(address, values["name"])


def _end(record: Record) -> None:
    values = record.values
    MlflowClient().set_terminated(record.run_id, values["status"], values["time"])


_SENDERS: Mapping[Kind, Callable[[Record], Any]] = {
    "params": _send_params,
    "metrics": _send_metrics,
    "tags": _send_tags,
    "dataset": _send_dataset,
    "file": _send_file,
    "table": _send_table,
    "model": send_model,
    "register": _register_model,
    "end": _end,
}
