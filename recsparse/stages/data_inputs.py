"""The parts of a dataset as inputs of runs: what MLflow is told of them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from recsparse.datasets.dataset import Dataset
from recsparse.datasets.matrices import item_of, user_of
from recsparse.tracking.data_input import DataInput, data_digest, data_input
from recsparse.tracking.run import SCHEMA_ROWS


def data_inputs(data: Dataset, folder: str | Path, parts: Iterable[str]) -> list[DataInput]:
    """Return parts of a dataset, each with its rows, users and items.

    Args:
        data: The dataset.
        folder: Its folder, or its address.
        parts: Of `train`, `validation` and `test`.

    Returns:
        One input a part, all with the digest of the whole folder.
    """
    digest, first = data_digest(folder), data.train_frame(SCHEMA_ROWS)
    return [data_input(folder, part, digest, first, _sizes(data, part)) for part in parts]


def _sizes(data: Dataset, part: str) -> dict[str, int]:
    rows = getattr(data.split, part)
    if part == "train":
        users, items = len(data.users), len(data.items)
    else:
        users, items = len(np.unique(user_of(rows))), len(np.unique(item_of(rows)))
    return {"num_rows": rows.num_rows, "num_users": users, "num_items": items}
