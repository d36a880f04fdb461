"""How a model folder becomes a logged model of MLflow."""

import tempfile
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.models import Model, infer_signature
from mlflow.tracking import MlflowClient

from recsparse.digest import folder_digest
from recsparse.errors import InputError, MissingFileError, StoreError
from recsparse.files.addresses import is_address
from recsparse.files.filesystems import fetched
from recsparse.tracking.outbox import Record


def send_model(record: Record) -> str:
    """Log the model of a run.

    Args:
        record: Its folder, with the digest of what the folder must hold; the file holds rows to
            score and their scores.

    Returns:
        The model's address.

    Raises:
        InputError: If the folder is not there, or holds something else by now.
        StoreError: If the folder cannot be read now.
        MlflowException: If the store does not take it.
    """
    values, frame = record.values, pd.read_parquet(record.file_there())
    folder = _fetched(values["folder"])
    if not folder.is_dir() or folder_digest(folder) != values["digest"]:
        raise InputError(
            f"{values['folder']} must hold the model of the run {record.run_id}, but does not"
        )
    pairs, scores = frame.drop(columns="score"), frame[["score"]]
    client = MlflowClient()
    model_id = str(values.get("model_id") or _created(record.run_id))
    logged = client.get_logged_model(model_id)
    about = Model(
        run_id=record.run_id,
        model_id=model_id,
        model_uuid=model_id,
        artifact_path=logged.artifact_location,
    )
    # `Model.log` would copy the run's figures to the model, which has them, and fail at that.
    with tempfile.TemporaryDirectory() as aside:
        saved = Path(aside) / "model"
        mlflow.pyfunc.save_model(
            saved,
            mlflow_model=about,
            loader_module="recsparse.scoring.pyfunc",
            data_path=str(folder),
            # Of a request; the model itself says what they mean.
            signature=infer_signature(pairs, scores, params={"history": ""}),
            input_example=pairs,
            pip_requirements=["recsparse"],
        )
        client.log_model_artifacts(model_id, str(saved))
    outputs = client.get_run(record.run_id).outputs
    # A record may be sent a second time.
    if outputs is None or model_id not in {each.model_id for each in outputs.model_outputs}:
        client.log_outputs(record.run_id, [LoggedModelOutput(model_id, step=0)])
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    return f"models:/{model_id}"


def _created(run_id: str) -> str:
    """Create the model of a run that older builds have kept."""
    client = MlflowClient()
    run = client.get_run(run_id)
    made = client.create_logged_model(
        run.info.experiment_id, "model", run_id, params=run.data.params
    )
    return str(made.model_id)


def _fetched(folder: str) -> Path:
    if not is_address(folder):
        return Path(folder)
    try:
        return fetched(folder)
    except MissingFileError as error:
        raise InputError(str(error)) from error
    except InputError as error:  # it may be there the next time
        raise StoreError(str(error)) from error
