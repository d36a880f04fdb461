"""Addresses of models in MLflow: the one door to it that does not import it before it is used.

Scoring from a folder costs neither the seconds nor the memory of MLflow. So its modules are
imported inside `fetched_model`, against the house rule.
"""

from pathlib import Path

from recsparse.config.config import TrackingConfig

_SCHEMES = ("runs:/", "models:/", "mlflow-artifacts:/")


def is_model_uri(address: str) -> bool:
    """Say whether an address is MLflow's and no folder.

    Args:
        address: A path or an address.

    Returns:
        True for `runs:/…`, `models:/…` and the like.
    """
    return address.startswith(_SCHEMES)


def fetched_model(
    address: str, store_folder: str | Path, tracking: TrackingConfig | None = None
) -> Path:
    """Fetch a logged or registered model and return its model folder.

    Args:
        address: `runs:/<run>/model`, `models:/<name>@<alias>` and the like.
        store_folder: Folder of the `mlflow.db` to ask, where `MLFLOW_TRACKING_URI` is not set.
        tracking: Which store to ask in its place.

    Returns:
        The folder as it was logged.

    Raises:
        MissingFileError: If the store has no such model.
        StoreError: If the store cannot be reached.
        ModelFolderError: If what it says to be the model's folder is outside of what was logged.
    """
    from recsparse.tracking.store import tracking_uri
    from recsparse.tracking.tracked import download_model

    return download_model(address, tracking_uri(tracking or TrackingConfig(), store_folder))
