"""What a model folder holds, read and validated against each other: anyone may write a folder."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file as load_tensors

from recsparse.config.model_kinds import find_section
from recsparse.config.model_section import ModelSection
from recsparse.config.plugins import PLUGINS
from recsparse.config.toml_reader import parse_config
from recsparse.datasets.data_settings import LAST_SECOND, DataSettings
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError, ModelFolderError
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fitted_model import FittedModel
from recsparse.models.protocol.recommender import Recommender
from recsparse.scoring.feature_arrays import features_of
from recsparse.scoring.item_table import FILES as TABLE_FILES
from recsparse.scoring.item_table import ItemTable
from recsparse.scoring.left_out import (
    BLOCKS,
    ELSEWHERE,
    HISTORY,
    LeftOut,
    elsewhere,
    without_rows,
)
from recsparse.scoring.model_state import restored
from recsparse.scoring.new_items_file import FILE as NEW_ITEMS
from recsparse.scoring.new_items_file import KEY as NEW_KEY
from recsparse.scoring.new_items_file import count_of, with_new_items
from recsparse.scoring.rows_of_older_builds import rows_of_older_build
from recsparse.scoring.stored_rows import StoredRows, unfit
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import UserRows

logger = logging.getLogger(__name__)

DESCRIPTION = "model.toml"
WEIGHTS = "weights.safetensors"
USERS = "users.parquet"
ITEMS = "items.parquet"
PLUGINS_KEY = "plugins"
USER_FEATURES, USER_FEATURES_KEY = "user_features.safetensors", "user_features"


def read_content(folder: Path, description: Mapping[str, Any]) -> TrainedModel:
    """Read the files of a model folder.

    Args:
        folder: The folder, whose files are as the checksums say.
        description: What `model.toml` says.

    Returns:
        The model, on the CPU.

    Raises:
        ModelFolderError: If the model is of a kind that this process does not know, a file cannot
            be read, or the files do not fit each other: the sizes that `model.toml` names, the ids,
            the histories and their times, and the weights that a model of that configuration has.
        ConfigError: If the process was told of a module that cannot be imported.
    """
    _check_plugins(folder, description.get(PLUGINS_KEY, {}))
    try:
        return _read(folder, description)
    except ModelFolderError:
        raise
    except (InputError, SafetensorError) as error:
        raise ModelFolderError(unfit(folder, error)) from error


def _read(folder: Path, description: Mapping[str, Any]) -> TrainedModel:
    users, items = Vocabulary.load(folder / USERS), Vocabulary.load(folder / ITEMS)
    shape = len(users), len(items)
    named = tuple(description.get(name) for name in ("num_users", "num_items"))
    if named != shape:
        raise InputError(f"{DESCRIPTION} names {named} users and items, but ids are of {shape}")
    rows, left_out = _rows(folder, description, shape)
    model = _with_new(folder, description, len(items))
    if isinstance(rows, StoredRows):
        rows = rows.with_vectors_of(model, description["sha256"][WEIGHTS])
    return TrainedModel(
        model=model,
        users=users,
        items=items,
        rows=rows,
        data=_data(description.get("data", {})),
        user_features=_user_features(folder, description.get(USER_FEATURES_KEY), len(users)),
        item_table=_item_table(folder, description),
        left_out=left_out,
    )


def _rows(
    folder: Path, description: Mapping[str, Any], shape: tuple[int, int]
) -> tuple[UserRows, LeftOut | None]:
    sums, path = description["sha256"], folder / HISTORY
    if (folder / ELSEWHERE).is_file():
        found = elsewhere(folder, sums)
        if found is None:
            return without_rows(folder, *shape)
        path = found
    if BLOCKS not in sums:
        return rows_of_older_build(path, shape), None
    blocks = path.with_name(BLOCKS).read_bytes()
    rows = StoredRows(path, blocks, shape)
    if rows.sha256 != sums[HISTORY]:
        raise ModelFolderError(
            f"{folder / DESCRIPTION} must name the SHA-256 of {HISTORY} as {BLOCKS} does, but it "
            "is damaged; copy the folder again, or train again"
        )
    return rows, None


def _user_features(folder: Path, section: Any, num_users: int) -> Features | None:
    if section is None:
        return None
    named = section.get("groups") if isinstance(section, dict) else None
    return features_of(named, load_arrays(folder / USER_FEATURES), num_users, USER_FEATURES)


def _with_new(folder: Path, description: Mapping[str, Any], num_items: int) -> FittedModel:
    section = description.get(NEW_KEY)
    model = _model(folder, description, num_items - count_of(section))
    if section is None:
        return model
    return with_new_items(model, section, load_arrays(folder / NEW_ITEMS))


def _item_table(folder: Path, description: Mapping[str, Any]) -> ItemTable | None:
    names = tuple(name for name in TABLE_FILES if name in description.get("sha256", {}))
    return ItemTable.found_in(folder, names) if names else None


def _model(folder: Path, description: Mapping[str, Any], num_items: int) -> Recommender:
    section = description.get("model")
    source = folder / DESCRIPTION
    if not isinstance(section, dict):
        raise InputError(f"{source} has no section 'model'")
    config = parse_config({"model": section}, source=str(source)).model
    return restored(config, load_tensors(folder / WEIGHTS), num_items)


def plugins_of(config: ModelSection) -> dict[str, str]:
    """Return which kinds of a model are not ours.

    Args:
        config: The model's section.

    Returns:
        The class of each such kind, those of a blend's parts too, as `module:Class`.
    """
    sections = [config, *(getattr(config, "parts", None) or ())]
    return {
        each.kind: each.implementation
        for each in sections
        if not each.implementation.startswith("recsparse.")
    }


def _check_plugins(folder: Path, plugins: Any) -> None:
    # A folder may be a stranger's: what it names is shown to the caller, and not imported.
    for kind, name in plugins.items() if isinstance(plugins, dict) else ():
        section = find_section(kind)
        if section is not None and section.implementation != name:
            # The module of a class may have moved, which no folder can know.
            logger.warning(
                "the model in %s was trained by the class %s, but the kind %r is that of %s here, "
                "which scores with its weights; if these are not one class, give one of them "
                "another kind",
                folder, name, kind, section.implementation,
            )  # fmt: skip
        if section is None:
            module = str(name).partition(":")[0]
            raise ModelFolderError(
                f"the model in {folder} is of the kind {kind!r}, the class {name}, which this "
                "process does not know; if you trust that module, set the environment variable "
                f"{PLUGINS}={module}, with the folder of the module on PYTHONPATH"
            )


def _data(section: Any) -> DataSettings:
    second = section.get(LAST_SECOND) if isinstance(section, dict) else ""
    if not (second is None or type(second) is int):
        raise InputError(f"{DESCRIPTION} must have a section 'data' with whole seconds, if any")
    return DataSettings.from_dict(section)
