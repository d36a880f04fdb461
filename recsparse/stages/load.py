"""Loading a trained model from a folder or from MLflow."""

from pathlib import Path

from recsparse.config import TrackingConfig
from recsparse.filesystems import fetched
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.trained import TrainedModel
from recsparse.training.store import is_model_uri, tracking_uri
from recsparse.training.tracked import download_model


def load(model: str | Path, beside: str | Path = ".") -> TrainedModel:
    """Return a trained model.

    Args:
        model: A model folder, its address on another filesystem such as `s3://bucket/model`, or
            an MLflow address such as `runs:/<run>/model` or `models:/<name>@<alias>`.
        beside: Folder of the `mlflow.db` to ask, where `MLFLOW_TRACKING_URI` is not set.

    Returns:
        The model, ready to score and recommend.

    Raises:
        MissingFileError: If there is no such model.
        ModelFolderError: If the folder is of another version or damaged.
    """
    return load_model(locate(model, beside))


def locate(model: str | Path, beside: str | Path = ".") -> Path:
    """Return the folder of a model, fetched from where it lies.

    Args:
        model: A model folder, its address on another filesystem, or an MLflow address.
        beside: Folder of the `mlflow.db` to ask.

    Returns:
        A local folder.

    Raises:
        MissingFileError: If MLflow has no such model, or there is nothing at the address.
    """
    if is_model_uri(str(model)):
        return download_model(str(model), tracking_uri(TrackingConfig(), beside))
    return fetched(model)
