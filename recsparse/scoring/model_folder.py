"""The model folder: safetensors, TOML and vocabularies; no pickle, every file under a checksum."""

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors.numpy import save as array_bytes

from recsparse.config.toml_writer import to_toml, write_toml
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import MissingFileError, ModelFolderError, reason
from recsparse.models.content.new_items import WithNewItems
from recsparse.outputs.claim import Output, filled_folder
from recsparse.outputs.kinds import FolderKind, describes_itself
from recsparse.outputs.manifest import file_sha256
from recsparse.scoring.array_file import write_arrays
from recsparse.scoring.checked_file import block_sums
from recsparse.scoring.feature_arrays import arrays_of, groups_described
from recsparse.scoring.item_table import FILES as TABLE_FILES
from recsparse.scoring.left_out import BLOCKS, ELSEWHERE, HISTORY
from recsparse.scoring.made_vectors import WEIGHTS_OF_VECTORS, made_vectors
from recsparse.scoring.model_content import (
    DESCRIPTION,
    ITEMS,
    PLUGINS_KEY,
    USER_FEATURES,
    USER_FEATURES_KEY,
    USERS,
    WEIGHTS,
    plugins_of,
    read_content,
)
from recsparse.scoring.model_state import state_bytes
from recsparse.scoring.new_items_file import FILE as NEW_ITEMS
from recsparse.scoring.new_items_file import KEY as NEW_KEY
from recsparse.scoring.new_items_file import described
from recsparse.scoring.stored_rows import arrays_of_rows
from recsparse.scoring.trained import TrainedModel

FORMAT_VERSION = 2
# Of the first one, histories have no checksums of blocks.
_READ = (1, FORMAT_VERSION)
SETTLED = "settled.toml"
FILES = (WEIGHTS, HISTORY, BLOCKS, USERS, ITEMS)
# By their keys in `model.toml`: of models that rank new items, and of those that read users.
_FILE_OF_KEY = {NEW_KEY: NEW_ITEMS, USER_FEATURES_KEY: USER_FEATURES}
MORE_FILES = (*_FILE_OF_KEY.values(), *TABLE_FILES)


_KEYS = ("format_version", "recsparse_version", "model")
MODEL = FolderKind(
    "model",
    "a model folder",
    partial(describes_itself, name=DESCRIPTION, keys=_KEYS),
    (*FILES, *MORE_FILES, DESCRIPTION, SETTLED),
)


def save_model(
    trained: TrainedModel,
    folder: str | Path | Output,
    training: dict[str, Any] | None = None,
    settled: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model folder, in one step: an older one stays until the new one is complete.

    Args:
        trained: The model with its ids and histories.
        folder: Where to write: a path, or a claimed output.
        training: What to remember about the training, such as its configuration and data.
        settled: A configuration that trains such a model without a validation, for callers who want
            to; nothing here reads it.
        overwrite: Replace a model that is at the path.

    Raises:
        OutputError: If the folder cannot be written, or must not be replaced.
        InputError: If a cell of the histories is there twice, or the model's state is none of
            tensors by name.
    """
    plugins = plugins_of(trained.model.config)
    weights = state_bytes(trained.model)
    with filled_folder(folder, MODEL, overwrite) as aside:
        (aside / WEIGHTS).write_bytes(weights)
        vectors = made_vectors(trained.model, trained.rows, trained.user_features)
        about = {WEIGHTS_OF_VECTORS: hashlib.sha256(weights).hexdigest()} if vectors else {}
        write_arrays(aside / HISTORY, arrays_of_rows(trained.rows) | vectors, about)
        (aside / BLOCKS).write_bytes(block_sums(aside / HISTORY))
        trained.users.save(aside / USERS)
        trained.items.save(aside / ITEMS)
        description = {
            "format_version": FORMAT_VERSION,
            "recsparse_version": version("recsparse"),
            "num_users": len(trained.users),
            "num_items": len(trained.items),
            "model": trained.model.config.model_dump(mode="json"),
            **({PLUGINS_KEY: plugins} if plugins else {}),
            "training": training or {},
            "data": trained.data.to_dict(),
        }
        if isinstance(trained.model, WithNewItems):
            (aside / NEW_ITEMS).write_bytes(array_bytes(arrays_of(trained.model.new_items)))
            description[NEW_KEY] = described(trained.model)
        if trained.user_features is not None:
            (aside / USER_FEATURES).write_bytes(array_bytes(arrays_of(trained.user_features)))
            groups = groups_described(trained.user_features)
            description[USER_FEATURES_KEY] = {"groups": groups}
        if trained.item_table is not None:
            trained.item_table.write(aside)
        written = [name for name in (*FILES, *MORE_FILES) if (aside / name).exists()]
        checksums = {name: file_sha256(aside / name) for name in written}
        text = to_toml(description)
        checksums[DESCRIPTION] = _text_sha256(text)
        text += to_toml({"sha256": checksums})
        (aside / DESCRIPTION).write_text(text, encoding="utf-8")
        if settled is not None:
            write_toml(aside / SETTLED, settled)


def load_model(folder: str | Path) -> TrainedModel:
    """Read a model folder; of the rows of users a part is read, and checked, where it is wanted.

    Args:
        folder: What `save_model` wrote.

    Returns:
        The model, on the CPU.

    Raises:
        MissingFileError: If there is no such folder.
        ModelFolderError: If it is no model folder, of another version, a file is damaged, or the
            files do not fit each other.
    """
    folder = Path(folder)
    description = read_model_description(folder)
    # Blocks of histories are checked where they are read, but for those of older builds.
    later = {HISTORY} if BLOCKS in description["sha256"] else set()
    _check_files(folder, description, later)
    return read_content(folder, description)


def check_model(folder: str | Path) -> None:
    """Look whether all of a model folder is as it was written, every byte and every row.

    Args:
        folder: What `save_model` wrote.

    Raises:
        MissingFileError: If there is no such folder.
        ModelFolderError: If it is no model folder, of another version, a file is damaged, or the
            files do not fit each other.
    """
    folder = Path(folder)
    description = read_model_description(folder)
    _check_files(folder, description)
    read_content(folder, description).rows.check()


def load_items(folder: str | Path) -> Vocabulary:
    """Read which items the model of a folder knows; all of its files are checked for damage.

    Args:
        folder: What `save_model` wrote.

    Returns:
        Their ids, in the model's own order.

    Raises:
        MissingFileError: If there is no such folder.
        ModelFolderError: If it is no model folder, of another version, or a file is damaged.
    """
    folder = Path(folder)
    description = read_model_description(folder)
    _check_files(folder, description)
    return Vocabulary.load(folder / ITEMS)


def read_model_description(folder: str | Path) -> dict[str, Any]:
    """Read what a model folder says about itself, and check that this version can load it.

    Args:
        folder: The model folder.

    Returns:
        The content of `model.toml`.

    Raises:
        MissingFileError: If there is no such folder.
        ModelFolderError: If it is no model folder, one of another version, or damaged.
    """
    folder = Path(folder)
    path = folder / DESCRIPTION
    if not folder.is_dir():
        raise MissingFileError(f"the model must be a folder, but there is none at {folder}")
    try:
        text = path.read_text(encoding="utf-8")
        description = tomllib.loads(text)
        found, checksums = description["format_version"], dict(description["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(
            f"{folder} must be a model folder with a readable {DESCRIPTION}, but {reason(error)}; "
            "write one with `recsparse train`"
        ) from error
    if found not in _READ:
        raise ModelFolderError(
            f"{folder} must have format version {FORMAT_VERSION}, but has {found} (written by "
            f"recsparse {description.get('recsparse_version')}); train it again, or install that "
            "version"
        )
    files = {*FILES} - ({BLOCKS} if found < FORMAT_VERSION else set())
    found = _text_sha256(text.partition("[sha256]")[0])
    more = {name for key, name in _FILE_OF_KEY.items() if key in description}
    if (
        set(checksums) - {*TABLE_FILES} != {*files, *more, DESCRIPTION}
        or checksums[DESCRIPTION] != found
    ):
        raise ModelFolderError(
            f"{path} must be as it was written, but it is damaged; copy the folder again, or train "
            "again"
        )
    return description


def _check_files(folder: Path, description: Mapping[str, Any], later: Collection[str] = ()) -> None:
    # A logged model may go without its histories.
    absent = {HISTORY, BLOCKS} if (folder / ELSEWHERE).is_file() else set()
    for name in (*FILES, *MORE_FILES):
        if name in {*description["sha256"]} - absent - {*later}:
            _check_file(folder / name, description["sha256"][name])


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ModelFolderError(f"the model folder must hold {path.name}, but {path} is missing")
    found = file_sha256(path)
    if found != expected:
        raise ModelFolderError(
            f"{path} must be as it was written (sha256 {expected[:12]}…), but it is damaged "
            f"(sha256 {found[:12]}…); copy the folder again, or train again"
        )


def _text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
