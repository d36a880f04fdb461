"""How a model folder becomes a logged model of MLflow, which restores wherever it is fetched to."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from recsparse.digest import folder_digest
from recsparse.errors import InputError, MissingFileError, StoreError
from recsparse.files.addresses import is_address
from recsparse.files.filesystems import fetched
from recsparse.quiet import kept_environment
from recsparse.tracking import recsparse_model
from recsparse.tracking.code_wheel import code_wheel
from recsparse.tracking.model_signature import example_requests, signature_of
from recsparse.tracking.outbox import Record
from recsparse.tracking.own_code import own_code
from recsparse.tracking.pinned_requirements import pinned_requirements

REQUESTS = "requests.json"
_UV_VARIABLE = "MLFLOW_UV_AUTO_DETECT"


def send_model(record: Record) -> str:
    """Log the model of a run, with the code that it was made by and the versions it needs.

    Args:
        record: Its folder, with the digest of what the folder must hold, and the id of the logged
            model where the run has one already; the file holds rows to score and their scores.

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
    client = MlflowClient()
    run = client.get_run(record.run_id)
    logged = _logged_model(client, run, values.get("model_id"))
    # `Model.log` would copy the run's figures to the model, which has them, and fail at that.
    with tempfile.TemporaryDirectory() as aside:
        saved, data = Path(aside) / "model", Path(aside) / "data" / folder.name
        _lay_out(data, folder, values.get("instead", {}))
        code = own_code(values.get("modules", ()))
        _save(saved, data, logged, frame.drop(columns="score"), code)
        client.log_model_artifacts(logged.model_id, str(saved))
    outputs = run.outputs.model_outputs if run.outputs else []
    # A second one is an error; the record may have been sent before.
    if logged.model_id not in {output.model_id for output in outputs}:
        client.log_outputs(record.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    return f"models:/{logged.model_id}"


def _logged_model(client: MlflowClient, run: Run, model_id: str | None) -> LoggedModel:
    if model_id is not None:
        return client.get_logged_model(model_id)
    # Left to itself, MLflow takes the experiment of the environment.
    return client.create_logged_model(
        run.info.experiment_id, "model", run.info.run_id, params=run.data.params
    )


def _lay_out(data: Path, folder: Path, instead: Mapping[str, str]) -> None:
    """Name the files of a folder by links, but for those that others take the place of."""
    data.mkdir(parents=True)
    replaced = {Path(name).stem for name in instead}
    for path in folder.iterdir():
        if path.stem not in replaced:
            (data / path.name).symlink_to(path.absolute())
    for name, text in instead.items():
        (data / name).write_text(text, encoding="utf-8")


def _save(
    saved: Path, folder: Path, logged: LoggedModel, pairs: pd.DataFrame, own: Sequence[Path]
) -> None:
    direct, constraints = pinned_requirements()
    described = Model(
        run_id=logged.source_run_id,
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )
    with _code() as code, kept_environment(_UV_VARIABLE), tempfile.TemporaryDirectory() as aside:
        # Else MLflow takes the lock file of whatever project the job was started in.
        mlflow.environment_variables.MLFLOW_UV_AUTO_DETECT.set(False)
        pinned = Path(aside) / "constraints.txt"
        pinned.write_text("\n".join(constraints), encoding="utf-8")
        mlflow.pyfunc.save_model(
            path=saved,
            mlflow_model=described,
            loader_module=Path(recsparse_model.__file__).stem,
            data_path=str(folder),
            code_paths=[*code, *map(str, own)],
            signature=signature_of(pairs),
            input_example=pairs,
            pip_requirements=[*direct, f"-c {pinned}"],
        )
    requests = json.dumps(example_requests(pairs), indent=2)
    (saved / REQUESTS).write_text(requests, encoding="utf-8")


@contextmanager
def _code() -> Iterator[list[str]]:
    name, content = code_wheel()
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / name
        wheel.write_bytes(content)
        yield [str(wheel), recsparse_model.__file__]


def _fetched(folder: str) -> Path:
    if not is_address(folder):
        return Path(folder)
    try:
        return fetched(folder)
    except MissingFileError as error:
        raise InputError(str(error)) from error
    except InputError as error:  # it may be there the next time
        raise StoreError(str(error)) from error
