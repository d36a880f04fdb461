"""The model folder: safetensors, TOML and vocabularies; no pickle, every file under a checksum."""

import hashlib
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file as save_tensors
from scipy.sparse import csr_matrix

from recsparse.atomic import atomic_folder
from recsparse.config_file import parse_config
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import MissingFileError, ModelFolderError
from recsparse.models.registry import MODEL_CLASSES
from recsparse.scoring.trained import TrainedModel
from recsparse.toml_file import write_toml

FORMAT_VERSION = 1
DESCRIPTION = "model.toml"
WEIGHTS = "weights.safetensors"
HISTORY = "history.safetensors"
USERS = "users.parquet"
ITEMS = "items.parquet"
FILES = (WEIGHTS, HISTORY, USERS, ITEMS)


def save_model(
    trained: TrainedModel, folder: str | Path, training: dict[str, Any] | None = None
) -> None:
    """Write a model folder, in one step: an older one stays until the new one is complete.

    Args:
        trained: The model with its ids and histories.
        folder: Where to write.
        training: What to remember about the training, such as its configuration and data.

    Raises:
        OutputError: If the disk is full.
    """
    with atomic_folder(folder) as aside:
        state = {name: value.contiguous() for name, value in trained.model.state().items()}
        save_tensors(state, aside / WEIGHTS)
        save_arrays(_history_arrays(trained.history), aside / HISTORY)
        trained.users.save(aside / USERS)
        trained.items.save(aside / ITEMS)
        description = {
            "format_version": FORMAT_VERSION,
            "recsparse_version": version("recsparse"),
            "num_users": len(trained.users),
            "num_items": len(trained.items),
            "model": trained.model.config.model_dump(mode="json"),
            "training": training or {},
            "sha256": {name: _sha256(aside / name) for name in FILES},
        }
        write_toml(aside / DESCRIPTION, description)


def load_model(folder: str | Path) -> TrainedModel:
    """Read a model folder.

    Args:
        folder: What `save_model` wrote.

    Returns:
        The model, on the CPU.

    Raises:
        MissingFileError: If there is no such folder.
        ModelFolderError: If it is no model folder, of another version, or a file is damaged.
    """
    folder = Path(folder)
    description = read_description(folder)
    for name in FILES:
        _check_file(folder / name, description["sha256"][name])
    config = parse_config({"model": description["model"]}, source=str(folder / DESCRIPTION)).model
    try:
        state = load_tensors(folder / WEIGHTS)
        arrays = load_arrays(folder / HISTORY)
    except SafetensorError as error:
        raise ModelFolderError(f"{folder} must hold readable weights, but {error}") from error
    return TrainedModel(
        model=MODEL_CLASSES[config.kind].from_state(config, state),
        users=Vocabulary.load(folder / USERS),
        items=Vocabulary.load(folder / ITEMS),
        history=_history_matrix(arrays),
    )


def read_description(folder: str | Path) -> dict[str, Any]:
    """Read what a model folder says about itself, and check that this version can load it.

    Args:
        folder: The model folder.

    Returns:
        The content of `model.toml`.

    Raises:
        MissingFileError: If there is no such folder.
        ModelFolderError: If it is no model folder, or one of another version.
    """
    folder = Path(folder)
    path = folder / DESCRIPTION
    if not folder.is_dir():
        raise MissingFileError(f"the model must be a folder, but there is none at {folder}")
    try:
        description = tomllib.loads(path.read_text(encoding="utf-8"))
        found, checksums = description["format_version"], description["sha256"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ModelFolderError(
            f"{folder} must be a model folder with a readable {DESCRIPTION}, but {error!r}; "
            "write one with `recsparse train`"
        ) from error
    if found != FORMAT_VERSION:
        raise ModelFolderError(
            f"{folder} must have format version {FORMAT_VERSION}, but has {found} (written by "
            f"recsparse {description.get('recsparse_version')}); train it again, or install that "
            "version"
        )
    if set(checksums) != set(FILES):
        raise ModelFolderError(f"{path} must list the checksums of {', '.join(FILES)}")
    return description


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ModelFolderError(f"the model folder must hold {path.name}, but {path} is missing")
    found = _sha256(path)
    if found != expected:
        raise ModelFolderError(
            f"{path} must be as it was written (sha256 {expected[:12]}…), but it is damaged "
            f"(sha256 {found[:12]}…); copy the folder again, or train again"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _history_arrays(history: csr_matrix) -> dict[str, NDArray[Any]]:
    return {
        "indptr": history.indptr.astype(np.int64),
        "indices": history.indices.astype(np.int64),
        "data": history.data.astype(np.float32),
        "shape": np.array(history.shape, dtype=np.int64),
    }


def _history_matrix(arrays: dict[str, NDArray[Any]]) -> csr_matrix:
    shape = tuple(arrays["shape"].tolist())
    return csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
