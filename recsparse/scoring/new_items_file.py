"""New items in a model folder: their features, and where they stand among the known ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsparse.errors import InputError
from recsparse.models.content.new_items import WithNewItems
from recsparse.models.content.placement import Placement
from recsparse.models.protocol.recommender import Recommender
from recsparse.scoring.feature_arrays import features_of, groups_described

FILE = "new_items.safetensors"
KEY = "new_items"


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
        "groups": groups_described(model.new_items),
    }


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
    items = features_of(section.get("groups", []), arrays, count_of(section), FILE)
    placement = Placement(_number(section, "shift"), _number(section, "slope"))
    return WithNewItems(model, items, placement)


def _number(section: Mapping[str, Any], name: str) -> float:
    value = section.get(name)
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{KEY}.{name} must be a finite number, but is {value!r}")
    return float(value)
