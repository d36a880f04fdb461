"""The last rows of each user."""

import numpy as np
from typing_extensions import override

from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.indexed_rows import Rows, first_of_user
from recsparse.datasets.parts import TEST, TRAIN, VALIDATION
from recsparse.datasets.workspace import Workspace


class LeaveLastOut(Split):
    """Of each user's rows, the last ones by time for test, those before them for validation."""

    needs_times = True

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        def parts(rows: Rows) -> np.ndarray:
            first = first_of_user(rows.user)
            last = np.repeat(np.append(first[1:], len(rows)), np.diff([*first, len(rows)])) - 1
            from_end = (last - np.arange(len(rows))) // self.config.last
            return np.where(from_end == 0, TEST, np.where(from_end == 1, VALIDATION, TRAIN))

        return parts

    @property
    @override
    def least_rows(self) -> int:
        return max(self.config.min_rows, 2 * self.config.last + 1)
