"""Features in the files of a model folder."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.models.protocol.features import FeatureGroup, Features
from recsparse.models.protocol.stored_arrays import checked_csr

_SPARSE = ("words", "categories")
_KINDS = (*_SPARSE, "numbers", "vectors")


def groups_described(features: Features) -> list[dict[str, Any]]:
    """Return what `model.toml` says of features.

    Args:
        features: The features.

    Returns:
        Name, kind and number of columns of each group.
    """
    return [
        {"name": group.name, "kind": group.kind, "columns": group.values.shape[1]}
        for group in features.groups
    ]


def arrays_of(features: Features) -> dict[str, NDArray[Any]]:
    """Return features as named arrays.

    Args:
        features: The features.

    Returns:
        What `features_of` reads back.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for number, group in enumerate(features.groups):
        if isinstance(group.values, csr_matrix):
            values = group.values.sorted_indices()
            arrays[f"{number}.data"] = values.data.astype(np.float32)
            arrays[f"{number}.indices"] = values.indices.astype(np.int64)
            arrays[f"{number}.indptr"] = values.indptr.astype(np.int64)
        else:
            arrays[f"{number}.values"] = np.ascontiguousarray(group.values, dtype=np.float32)
    return arrays


def features_of(named: Any, arrays: Mapping[str, NDArray[Any]], count: int, file: str) -> Features:
    """Return the features that a file holds.

    Args:
        named: What `model.toml` says of each group.
        arrays: What the file holds.
        count: How many ids they are of.
        file: Its name, for errors.

    Returns:
        The features.

    Raises:
        InputError: If they do not fit each other.
    """
    if not isinstance(named, list):
        raise InputError(f"{file} must be of a list of groups of features, but got {named!r}")
    groups = tuple(_group(number, each, arrays, count, file) for number, each in enumerate(named))
    wanted = {f"{n}.{part}" for n, each in enumerate(groups) for part in _parts(each)}
    if wanted != set(arrays):
        raise InputError(f"{file} must hold {sorted(wanted)}, but holds {sorted(arrays)}")
    return Features(groups, count)


def _parts(group: FeatureGroup) -> tuple[str, ...]:
    return ("data", "indices", "indptr") if group.kind in _SPARSE else ("values",)


def _group(
    number: int, named: Any, arrays: Mapping[str, NDArray[Any]], count: int, file: str
) -> FeatureGroup:
    if not isinstance(named, Mapping):
        raise InputError(f"features must have a name, a kind and columns, but are {named}")
    name, kind, columns = (named.get(each) for each in ("name", "kind", "columns"))
    if not isinstance(name, str) or kind not in _KINDS or type(columns) is not int or columns < 0:
        raise InputError(f"features must have a name, a kind and columns, but are {named}")
    if kind in _SPARSE:
        data = _array(arrays, f"{number}.data", np.float32, file)
        indices, indptr = (
            _array(arrays, f"{number}.{part}", np.int64, file) for part in ("indices", "indptr")
        )
        return FeatureGroup(name, kind, checked_csr(data, indices, indptr, (count, columns), file))
    values = _array(arrays, f"{number}.values", np.float32, file)
    if values.shape != (count, columns):
        raise InputError(f"{name} must be of {(count, columns)}, but {file} has {values.shape}")
    return FeatureGroup(name, kind, values)


def _array(arrays: Mapping[str, NDArray[Any]], name: str, kind: type, file: str) -> NDArray[Any]:
    if name not in arrays or arrays[name].dtype != kind:
        raise InputError(f"{file} must hold {name} of {np.dtype(kind)}")
    if not np.isfinite(arrays[name]).all():
        raise InputError(f"{name} of {file} must be finite, but is not")
    return arrays[name]
