"""How a model folder becomes a logged model of MLflow."""

from pathlib import Path

import mlflow
import pandas as pd
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
    run = MlflowClient().get_run(record.run_id)
    # Left to itself, MLflow takes the experiment of the environment.
    model = MlflowClient().create_logged_model(
        run.info.experiment_id, "model", record.run_id, params=run.data.params
    )
    info = Model.log(
        artifact_path=None,
        flavor=mlflow.pyfunc,
        name="model",
        run_id=record.run_id,
        model_id=model.model_id,
        loader_module="recsparse.scoring.pyfunc",
        data_path=str(folder),
        # Of a request; the model itself says what they mean.
        signature=infer_signature(pairs, scores, params={"history": ""}),
        input_example=pairs,
        pip_requirements=["recsparse"],
    )
    return str(info.model_uri)


def _fetched(folder: str) -> Path:
    if not is_address(folder):
        return Path(folder)
    try:
        return fetched(folder)
    except MissingFileError as error:
        raise InputError(str(error)) from error
    except InputError as error:  # it may be there the next time
        raise StoreError(str(error)) from error
