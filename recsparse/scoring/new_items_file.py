"""New items in a model folder: their features, and where they stand among the known ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.errors import InputError
from recsparse.models.content.new_items import Placement, WithNewItems
from recsparse.models.protocol.features import FeatureGroup, Features
from recsparse.models.protocol.recommender import Recommender
from recsparse.models.protocol.stored_arrays import checked_csr

FILE = "new_items.safetensors"
KEY = "new_items"
_SPARSE = ("words", "categories")
_KINDS = (*_SPARSE, "numbers", "vectors")


def described(model: WithNewItems) -> dict[str, Any]:
    """Return what `model.toml` says of new items.

    Args:
        model: The model with its new items.

    Returns:
        How many, where they stand, and their groups of features.
    """
    return {
        "count": model.new_items.num_ids,
        "shift": model.placement.shift,
        "slope": model.placement.slope,
        "groups": [
            {"name": group.name, "kind": group.kind, "columns": group.values.shape[1]}
            for group in model.new_items.groups
        ],
    }


def arrays_of(items: Features) -> dict[str, NDArray[Any]]:
    """Return features as named arrays.

    Args:
        items: The features.

    Returns:
        What `with_new_items` reads back.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for number, group in enumerate(items.groups):
        if isinstance(group.values, csr_matrix):
            values = group.values.sorted_indices()
            arrays[f"{number}.data"] = values.data.astype(np.float32)
            arrays[f"{number}.indices"] = values.indices.astype(np.int64)
            arrays[f"{number}.indptr"] = values.indptr.astype(np.int64)
        else:
            arrays[f"{number}.values"] = np.ascontiguousarray(group.values, dtype=np.float32)
    return arrays


def count_of(section: Any) -> int:
    """Return how many new items a model has.

    Args:
        section: What `model.toml` says of them; None says nothing.

    Returns:
        Their number.

    Raises:
        InputError: If it is none.
    """
    if section is None:
        return 0
    count = section.get("count") if isinstance(section, dict) else None
    if type(count) is not int or count < 0:
        raise InputError(f"the section {KEY!r} must have a count of items, but has {count!r}")
    return count


def with_new_items(
    model: Recommender, section: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> WithNewItems:
    """Return a model with the new items of its folder.

    Args:
        model: The model.
        section: What `model.toml` says of them.
        arrays: What the file holds.

    Returns:
        The model with these items.

    Raises:
        InputError: If they do not fit each other, or the model cannot rank items by features.
    """
    count, named = count_of(section), section.get("groups", [])
    groups = tuple(_group(number, each, arrays, count) for number, each in enumerate(named))
    wanted = {f"{n}.{part}" for n, each in enumerate(groups) for part in _parts(each)}
    if wanted != set(arrays):
        raise InputError(f"{FILE} must hold {sorted(wanted)}, but holds {sorted(arrays)}")
    placement = Placement(_number(section, "shift"), _number(section, "slope"))
    return WithNewItems(model, Features(groups, count), placement)


def _number(section: Mapping[str, Any], name: str) -> float:
    value = section.get(name)
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{KEY}.{name} must be a finite number, but is {value!r}")
    return float(value)


def _parts(group: FeatureGroup) -> tuple[str, ...]:
    return ("data", "indices", "indptr") if group.kind in _SPARSE else ("values",)


def _group(number: int, named: Any, arrays: Mapping[str, NDArray[Any]], count: int) -> FeatureGroup:
    name, kind, columns = (named.get(each) for each in ("name", "kind", "columns"))
    if not isinstance(name, str) or kind not in _KINDS or type(columns) is not int or columns < 0:
        raise InputError(f"features must have a name, a kind and columns, but are {named}")
    if kind in _SPARSE:
        data = _array(arrays, f"{number}.data", np.float32)
        indices, indptr = (
            _array(arrays, f"{number}.{part}", np.int64) for part in ("indices", "indptr")
        )
        return FeatureGroup(name, kind, checked_csr(data, indices, indptr, (count, columns), FILE))
    values = _array(arrays, f"{number}.values", np.float32)
    if values.shape != (count, columns):
        raise InputError(f"{name} must be of {(count, columns)}, but {FILE} has {values.shape}")
    return FeatureGroup(name, kind, values)


def _array(arrays: Mapping[str, NDArray[Any]], name: str, kind: type) -> NDArray[Any]:
    if name not in arrays or arrays[name].dtype != kind:
        raise InputError(f"{FILE} must hold {name} of {np.dtype(kind)}")
    return arrays[name]
