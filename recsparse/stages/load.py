"""Loading a trained model from a folder or from MLflow."""

from pathlib import Path

from recsparse.config.config import TrackingConfig
from recsparse.reporting.progress import SILENT, Reporter
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.trained import TrainedModel
from recsparse.stages.at_hand import at_hand
from recsparse.tracking.model_address import fetched_model, is_model_uri


def load(
    model: str | Path, store_folder: str | Path = ".", reporter: Reporter = SILENT
) -> TrainedModel:
    """Return a trained model.

    Args:
        model: A model folder, its address on another filesystem such as `s3://bucket/model`, or
            an MLflow address such as `runs:/<run>/model` or `models:/<name>@<alias>`.
        store_folder: Folder of the `mlflow.db` to ask, where `MLFLOW_TRACKING_URI` is not set.
        reporter: Shows the progress.

    Returns:
        The model, ready to score and recommend.

    Raises:
        MissingFileError: If there is no such model.
        ModelFolderError: If the folder is of another version or damaged.
    """
    with reporter.task("loading the model"):
        return load_model(locate(model, store_folder, reporter))


def locate(
    model: str | Path,
    store_folder: str | Path = ".",
    reporter: Reporter = SILENT,
    tracking: TrackingConfig | None = None,
) -> Path:
    """Return the folder of a model, fetched from where it lies.

    Args:
        model: A model folder, its address on another filesystem, or an MLflow address.
        store_folder: Folder of the `mlflow.db` to ask.
        reporter: Shows the progress.
        tracking: Which store to ask in its place.

    Returns:
        A local folder.

    Raises:
        MissingFileError: If MLflow has no such model, or there is nothing at the address.
    """
    if is_model_uri(str(model)):
        with reporter.task("fetching the model from MLflow"):
            return fetched_model(str(model), store_folder, tracking)
    return at_hand(model, reporter)
