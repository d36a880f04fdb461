"""Where the MLflow store is; no import of mlflow, which takes long."""

import os
import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from recsparse.config.config import TrackingConfig
from recsparse.errors import MissingFileError

STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"
UNSENT = "mlflow.unsent"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
# The run that `mlflow run` has opened for the job that it starts.
JOINED_RUN = "MLFLOW_RUN_ID"


def tracking_uri(config: TrackingConfig, store_folder: str | Path) -> str:
    """Return the address of the store: configured, else from the environment, else a local file.

    Args:
        config: The tracking section.
        store_folder: Folder of the SQLite file where nothing else is set.

    Returns:
        An MLflow tracking address.
    """
    return config.uri or os.environ.get(URI_VARIABLE) or local_uri(store_folder)


def local_uri(store_folder: str | Path) -> str:
    """Return the address of the store in a folder, whatever signs the folder's name has.

    Args:
        store_folder: The folder.

    Returns:
        The address of its SQLite file, whether there is one or not.
    """
    path = str(Path(store_folder).resolve() / STORE)
    plain = f"sqlite:///{path}"
    if make_url(plain).database == path:
        return plain
    # Of an address that begins with sqlite:///, MLflow makes a folder of the encoded name as well.
    return URL.create("sqlite+pysqlite", database=path).render_as_string()


def store_file(uri: str) -> Path | None:
    """Return the SQLite file of a store.

    Args:
        uri: The store.

    Returns:
        The file, whether there is one or not; None for a store of another kind.
    """
    if not uri.startswith("sqlite"):
        return None
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        return None
    if url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return Path(str(url.database)).absolute()


def require_store(uri: str) -> None:
    """Refuse to look into a local file that is not there; MLflow would make an empty one.

    Args:
        uri: The store.

    Raises:
        MissingFileError: If there is no such file.
    """
    path = store_file(uri)
    if path is not None and not path.is_file():
        raise MissingFileError(
            f"there must be an MLflow store at {path}, but there is none; set MLFLOW_TRACKING_URI "
            "to the right store"
        )


def without_password(uri: str) -> str:
    """Return an address, or a text with one, that may be shown.

    Args:
        uri: The store, or what is said of it.

    Returns:
        The same with three stars in the place of a user and a password.

    Example:
        >>> without_password("https://me:secret@host/mlflow")
        'https://***@host/mlflow'
    """
    return re.sub(r"//[^/@\s]*@", "//***@", uri)
