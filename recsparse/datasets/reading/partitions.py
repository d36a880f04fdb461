"""Partitions: the folders named `key=value` above a file, whose keys are columns."""

from collections.abc import Mapping
from urllib.parse import unquote

import pyarrow as pa

from recsparse.datasets.reading.find_files import Files

# What Hive and its kin write where a key is null.
_NULL = "__HIVE_DEFAULT_PARTITION__"


def keys_of(files: Files) -> dict[str, dict[str, str | None]]:
    """Return the keys of some files as they are spelled.

    Args:
        files: The files; folders above their base are no partitions.

    Returns:
        For each file the value of each key, None for null.
    """
    base = files.base.rstrip("/") + "/"
    return {name: _keys(name.removeprefix(base)) for name in files.names}


def _keys(path: str) -> dict[str, str | None]:
    pairs = (part.split("=", 1) for part in path.split("/")[:-1] if "=" in part)
    return {unquote(key): None if value == _NULL else unquote(value) for key, value in pairs}


def columns_of_keys(
    keys: Mapping[str, Mapping[str, str | None]], schemas: Mapping[str, pa.Schema]
) -> dict[str, dict[str, str | None]]:
    """Return the keys that are columns: those that not every file has as a column of its own.

    Args:
        keys: The keys of each file.
        schemas: The columns of each file.

    Returns:
        For each such key its value in the files that lack the column.
    """
    found: dict[str, dict[str, str | None]] = {}
    for file, own in keys.items():
        for key, value in own.items():
            if key not in schemas[file].names:
                found.setdefault(key, {})[file] = value
    return found
