"""Warnings of features that say nothing of other ids, or that tell what is to be predicted."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsparse.datasets.building.part_files import Axis
from recsparse.datasets.building.reviews import AxisName
from recsparse.datasets.features.groups import Group, groups_of
from recsparse.datasets.features.side_table import SideFeatures
from recsparse.datasets.indexed_rows import ITEM_INDEX, USER_INDEX, open_indexed
from recsparse.datasets.parts import PART_NAMES
from recsparse.datasets.schema import RATING, WEIGHT

logger = logging.getLogger(__name__)

# With fewer ids chance does as much.
_LEAST_IDS = 20
_LONE_SHARE = 0.9
_MOST_CORRELATION = 0.95
_CHUNK_ROWS = 1 << 20


def warn_of_doubtful_features(side: SideFeatures, axis: Axis, name: AxisName, folder: Path) -> None:
    """Log a warning for each feature that is hardly meant to be one.

    - A column of categories of which nearly every one is of a single training id, as ids are.
    - A column of numbers whose rank correlation (Spearman 1904) with the number of rows, the mean
      weight or the mean rating of each id, over the rows of all parts, is above .95 or below −.95.

    Args:
        side: Features from a table.
        axis: The ids.
        name: `user` or `item`.
        folder: A folder with the rows of all parts.
    """
    num_train, num_log = len(axis.train), len(axis.train) + len(axis.unseen)
    none = SideFeatures()
    for group in groups_of(SideFeatures(categories=side.categories), none, slice(num_train)):
        _warn_of_ids(group, name)
    numbers = groups_of(SideFeatures(numbers=side.numbers), none, slice(num_log))
    if not numbers:
        return
    targets = _targets(folder, name, num_log)
    for group in numbers:
        for what, values in targets.items():
            _warn_of_target(group, what, values, name)


def _warn_of_ids(group: Group, name: AxisName) -> None:
    ids_of_category = np.asarray((group.values > 0).sum(axis=0)).ravel()
    num_cells = int(ids_of_category.sum())
    num_lone = int((ids_of_category == 1).sum())
    if num_cells >= _LEAST_IDS and num_lone >= _LONE_SHARE * num_cells:
        logger.warning(
            "%d of the %d categories of %r are of a single training %s each, as ids are, so they "
            "say nothing of others; leave the column out of the features, or name a coarser one",
            num_lone,
            len(ids_of_category),
            group.name,
            name,
        )


def _targets(folder: Path, name: AxisName, size: int) -> dict[str, NDArray[np.float64]]:
    """Return what each id is in all parts; NaN where it has no row of that kind."""
    column = USER_INDEX if name == "user" else ITEM_INDEX
    rows, weight, rated, rating = np.zeros((4, size))
    for part in PART_NAMES:
        for batch in open_indexed(folder / f"{part}.arrow").to_batches(_CHUNK_ROWS):
            index = batch.column(column).to_numpy()
            value = batch.column(RATING).to_numpy(zero_copy_only=False)
            known = ~np.isnan(value)
            rows += np.bincount(index, minlength=size)
            weight += np.bincount(index, batch.column(WEIGHT).to_numpy(), minlength=size)
            rated += np.bincount(index[known], minlength=size)
            rating += np.bincount(index[known], value[known], minlength=size)
    with np.errstate(invalid="ignore"):
        return {
            "number of rows": np.where(rows > 0, rows, np.nan),
            "mean weight": weight / rows,
            "mean rating": rating / rated,
        }


def _warn_of_target(group: Group, what: str, target: NDArray[np.float64], name: AxisName) -> None:
    # The second column says where the number is missing.
    there = ~np.isnan(target) & ~np.asarray(group.values)[:, 1:].any(axis=1)
    number = np.asarray(group.values)[there, 0]
    target = target[there]
    if len(number) < _LEAST_IDS or np.ptp(number) == 0 or np.ptp(target) == 0:
        return
    ranks = [pd.Series(values).rank().to_numpy() for values in (number, target)]
    correlation = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    if abs(correlation) > _MOST_CORRELATION:
        logger.warning(
            "the number %r goes with the %s of each %s, validation and test included (Spearman "
            "%.3f over %d of them): it tells what is to be predicted, unless it was known before; "
            "leave it out of the features, or make it of training rows alone",
            group.name,
            what,
            name,
            correlation,
            len(number),
        )
