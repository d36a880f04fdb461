"""Splits of a log into training, validation and test, by the kind that the configuration names."""

from collections.abc import Mapping

import numpy as np

from recsparse.config.data import SplitConfig
from recsparse.config.plugins import told_of
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.building.splits.given import Given
from recsparse.datasets.building.splits.global_time import GlobalTime
from recsparse.datasets.building.splits.held_out_items import HeldOutItems
from recsparse.datasets.building.splits.held_out_users import HeldOutUsers
from recsparse.datasets.building.splits.leave_last_out import LeaveLastOut
from recsparse.datasets.building.splits.random_rows import RandomRows
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.building.splits.time_window import TimeWindow
from recsparse.datasets.building.splits.user_places import rows_of_user
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import PART_NAMES, TRAIN
from recsparse.datasets.workspace import Workspace
from recsparse.errors import InputError

SPLITS: Mapping[str, type[Split]] = {
    "random": RandomRows,
    "leave_last_out": LeaveLastOut,
    "global_time": GlobalTime,
    "time_window": TimeWindow,
    "held_out_users": HeldOutUsers,
    "held_out_items": HeldOutItems,
    "given": Given,
}


def split_of(config: SplitConfig) -> Split:
    """Return the split that the configuration names.

    Args:
        config: Its kind, or `module:Class` of a class that this process was told of.

    Returns:
        The split.

    Raises:
        InputError: If the class is no split.
        ConfigError: If this process was not told of the module.
    """
    found = SPLITS.get(config.kind) or told_of(config.kind, "split.kind")
    if not (isinstance(found, type) and issubclass(found, Split)):
        raise InputError(
            f"split.kind must name a class of splits, but {config.kind} is {found!r}; derive it "
            "from Split of recsparse.datasets.building.splits.split"
        )
    return found(config)


def plan_split(rows: CleanRows, keys: Keys, config: SplitConfig, work: Workspace) -> Assign:
    """Decide how rows are parted; what follows needs no more than one block at a time.

    Ties in time are broken by the item's id, then the rating, then the weight. Random choices
    depend on the seed and the ids alone.

    Args:
        rows: The rows to part.
        keys: Random numbers of the ids.
        config: The kind of split and its shares.
        work: Sorts times.

    Returns:
        A function that says the part of each row of a block of whole users.

    Raises:
        InputError: If times are needed and missing, or the kind is no split.
    """
    split = split_of(config)
    if split.needs_times and rows.without_time:
        raise InputError(
            f"the split {config.kind!r} needs a time for every row, but {rows.without_time} of "
            f"{rows.num_rows} have none; name the column by log.timestamp_column, or set "
            "split.kind to random, held_out_users or held_out_items"
        )
    assign, is_own = split.assign(rows, keys, work), config.kind not in SPLITS

    def parts(block: Rows) -> np.ndarray:
        found = np.asarray(assign(block))
        if is_own:
            _check(found, block, config.kind)
        if not split.spares_short_users:
            return found
        return np.where(rows_of_user(block) < split.least_rows, TRAIN, found)

    return parts


def _check(found: np.ndarray, block: Rows, kind: str) -> None:
    if found.shape != (len(block),) or not np.isin(found, range(len(PART_NAMES))).all():
        raise InputError(
            f"the split {kind} must return one of {[*range(len(PART_NAMES))]} for each of "
            f"{len(block)} rows, but returned an array of {found.dtype} and {found.shape}; see "
            "recsparse.datasets.parts for the numbers"
        )
