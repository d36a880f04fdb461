"""How each kind of record gets into an MLflow store."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import mlflow
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
)
from mlflow.tracking import MlflowClient

from recsparse.errors import InputError
from recsparse.tracking.contact import one_process, patience
from recsparse.tracking.data_input import part_of_metric
from recsparse.tracking.model_record import send_model
from recsparse.tracking.outbox import ITS_MODEL, Kind, Record, Refused
from recsparse.tracking.store import store_file

# A busy server answers within seconds; one that is gone must not hold up a job for long.
ANSWER_SECONDS, ANSWER_RETRIES = 20.0, 2
# A job that was stopped waits for a moment only.
LAST_WORD_SECONDS = 2.0
# MLflow takes this many at a time.
_MOST_PARAMS, _MOST_METRICS = 100, 1000
# MLflow cuts the parameters of runs to this length, and refuses longer ones of models.
_LONGEST_PARAM = 6000
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
    model_id = _model_id(record)
    metrics = [
        Metric(
            name,
            value,
            values["time"],
            values["step"],
            # Of a model, MLflow keeps NaN as 0.
            None if math.isnan(value) else model_id,
            *values.get("data", {}).get(part_of_metric(name), (None, None)),
        )
        for name, value in values["metrics"].items()
    ]
    for start in range(0, len(metrics), _MOST_METRICS):
        MlflowClient().log_batch(record.run_id, metrics[start : start + _MOST_METRICS])


def _send_model_params(record: Record) -> None:
    client, model_id = MlflowClient(), _model_id(record)
    if model_id is not None:
        # MLflow takes each of them once.
        known = client.get_logged_model(model_id).params
        params = {
            name: value[:_LONGEST_PARAM]
            for name, value in record.values["params"].items()
            if name not in known
        }
        client.log_model_params(model_id, params)


def _send_model_tags(record: Record) -> None:
    model_id = _model_id(record)
    if model_id is not None:
        MlflowClient().set_logged_model_tags(model_id, record.values["tags"])


def _send_inputs(record: Record) -> None:
    values = record.values
    datasets = [_dataset_input(each) for each in values["datasets"]]
    found = [model_of_run(run_id) for run_id in values["model_runs"]]
    models = [LoggedModelInput(model_id) for model_id in found if model_id is not None]
    MlflowClient().log_inputs(record.run_id, datasets, models)


def _send_dataset(record: Record) -> None:
    """Send what older builds have kept."""
    MlflowClient().log_inputs(record.run_id, [_dataset_input(record.values)])


def _dataset_input(values: Mapping[str, Any]) -> DatasetInput:
    told = dict(values)
    tags = [InputTag("mlflow.data.context", told.pop("context"))]
    return DatasetInput(Dataset(**told), tags)


def _model_id(record: Record) -> str | None:
    model_id: str | None = record.values.get("model_id")
    return model_of_run(record.run_id) if model_id == ITS_MODEL else model_id


def model_of_run(run_id: str) -> str | None:
    """Return the logged model that a run has made.

    Args:
        run_id: A run of the store in use.

    Returns:
        Its id, that of the last one; None where the run made none, or there is no such run.

    Raises:
        MlflowException: If the store cannot be reached.
    """
    try:
        outputs = MlflowClient().get_run(run_id).outputs
    except mlflow.MlflowException as error:
        if error.get_http_status_code() in (400, 404):
            return None
        raise
    models = [] if outputs is None else outputs.model_outputs
    return str(models[-1].model_id) if models else None


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
    client, model_id = MlflowClient(), values.get("model_id")
    if model_id is not None and values["status"] != "FINISHED":
        client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
    client.set_terminated(record.run_id, values["status"], values["time"])


_SENDERS: Mapping[Kind, Callable[[Record], Any]] = {
    "params": _send_params,
    "metrics": _send_metrics,
    "tags": _send_tags,
    "dataset": _send_dataset,
    "inputs": _send_inputs,
    "model_params": _send_model_params,
    "model_tags": _send_model_tags,
    "file": _send_file,
    "table": _send_table,
    "model": send_model,
    "register": _register_model,
    "end": _end,
}
