"""The rows of some parts of a dataset, with their ids."""

from collections.abc import Collection

import pyarrow as pa

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.parts import PARTS
from recsparse.errors import InputError


def rows_of_parts(data: Dataset, parts: Collection[str] = PARTS) -> pa.Table:
    """Return the rows of some parts with their ids, in memory.

    Args:
        data: The dataset.
        parts: Some of `train`, `validation` and `test`, at least one. What a model may see of
            held-out users belongs to `train`.

    Returns:
        Columns `user_id`, `item_id`, `weight`, `timestamp`, `rating`.

    Raises:
        InputError: If a part is none of these, or none is named.
    """
    wrong = [name for name in parts if name not in PARTS]
    if wrong or not parts:
        raise InputError(
            f"parts must be some of {', '.join(PARTS)}, but got {wrong[0] if wrong else 'none'!r}; "
            "name them as in train,validation"
        )
    split = data.split
    tables = [getattr(split, name) for name in PARTS if name in parts]
    if "train" in parts:
        tables += [split.validation_history, split.test_history]
    return pa.concat_tables([data.with_ids(table) for table in tables])
