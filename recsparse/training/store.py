"""Where the MLflow store is, and which addresses are its; no import of mlflow, which takes long."""

import os
from pathlib import Path

from recsparse.config import TrackingConfig
from recsparse.errors import MissingFileError

STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
MODEL_SCHEMES = ("runs:/", "models:/", "mlflow-artifacts:/")
_LOCAL = "sqlite:///"


def tracking_uri(config: TrackingConfig, beside: str | Path) -> str:
    """Return the address of the store: configured, else from the environment, else a local file.

    Args:
        config: The tracking section.
        beside: Folder of the SQLite file where nothing else is set.

    Returns:
        An MLflow tracking address.
    """
    return config.uri or os.environ.get(URI_VARIABLE) or local_uri(beside)


def local_uri(beside: str | Path) -> str:
    """Return the address of the store in a folder.

    Args:
        beside: The folder.

    Returns:
        The address of its SQLite file, whether there is one or not.
    """
    return f"{_LOCAL}{Path(beside).resolve() / STORE}"


def require_store(uri: str) -> None:
    """Refuse to look into a local file that is not there; MLflow would make an empty one.

    Args:
        uri: The store.

    Raises:
        MissingFileError: If there is no such file.
    """
    path = Path(uri.removeprefix(_LOCAL))
    if uri.startswith(_LOCAL) and not path.is_file():
        raise MissingFileError(
            f"there must be an MLflow store at {path}, but there is none; set MLFLOW_TRACKING_URI "
            "to the right store"
        )


def is_model_uri(address: str) -> bool:
    """Say whether an address is MLflow's and no folder.

    Args:
        address: A path or an address.

    Returns:
        True for `runs:/…`, `models:/…` and the like.
    """
    return address.startswith(MODEL_SCHEMES)
