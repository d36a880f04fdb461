"""The protocol of all splits: from a log to a function that says the part of each row."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from recsparse.config.data import SplitConfig
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.workspace import Workspace

# The part of each row of a block of whole users.
Assign = Callable[[Rows], np.ndarray]


class Split(ABC):
    """A way to part rows into training, validation and test, before anything is fitted.

    Args:
        config: The kind and its settings.

    Attributes:
        needs_times: Whether every row must have a time.
        spares_short_users: Whether users with fewer than `least_rows` rows stay in training as a
            whole; they are counted.
        parts_in_log: Whether the log says the part of each row, in the column `split.column` or by
            the file that it is in; blocks have it as `part`, one of the numbers of
            `recsparse.datasets.parts`.
        is_blind_to_test: Whether no test row may change which rows are for training and validation,
            be it as their duplicate or as a row that counts for the k-core. Rows of a user and item
            count in the first part that has any.
    """

    needs_times: ClassVar[bool] = False
    spares_short_users: ClassVar[bool] = True
    parts_in_log: ClassVar[bool] = False
    is_blind_to_test: ClassVar[bool] = False

    def __init__(self, config: SplitConfig) -> None:
        self.config = config

    @abstractmethod
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        """Decide how rows are parted; what follows needs no more than one block at a time.

        Args:
            rows: The rows to part.
            keys: Random numbers of the ids, so that no order of rows matters.
            work: Sorts what is larger than memory.

        Returns:
            A function of a block of whole users, whose rows are in the order of time: it returns
            one of the numbers of `recsparse.datasets.parts` per row.
        """

    def part_of_times(self, seconds: np.ndarray) -> np.ndarray | None:
        """Say the parts of rows as they are read, where their times alone tell.

        Args:
            seconds: int64, since 1970, UTC; `NO_TIME` where unknown.

        Returns:
            uint8, the part of each row, 255 for one that is left out; None where it takes more than
            times, as `assign` has.
        """
        return None

    @property
    def least_rows(self) -> int:
        """How many rows a user needs to have any outside of training."""
        return self.config.min_rows
