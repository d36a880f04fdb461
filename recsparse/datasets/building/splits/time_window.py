"""A window of time that is predicted from what was known before it."""

from datetime import datetime

import numpy as np
from typing_extensions import override

from recsparse.config.section import in_utc
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.indexed_rows import NO_TIME, Rows
from recsparse.datasets.parts import TEST, TRAIN, VALIDATION
from recsparse.datasets.workspace import Workspace

# The part of rows that are before, after or between the stretches.
OUTSIDE = np.iinfo(np.uint8).max


class TimeWindow(Split):
    """Rows of a window for test, those before it for training and validation; others are left out.

    What is in the window changes nothing of training and validation: parts are told as rows are
    read, before duplicates and the k-core are.
    """

    needs_times = True
    spares_short_users = False
    is_blind_to_test = True

    @override
    def part_of_times(self, seconds: np.ndarray) -> np.ndarray:
        config = self.config
        ends = [config.train_from, config.validation_from, config.known_until or config.test_from]
        bounds = [_second(time) for time in (*ends, config.test_from, config.test_until)]
        parts = np.array([OUTSIDE, TRAIN, VALIDATION, OUTSIDE, TEST, OUTSIDE], dtype=np.uint8)
        found = parts[np.searchsorted(bounds, seconds, side="right")]
        # Rows without a time are refused by all splits that need times.
        return np.where(seconds == NO_TIME, np.uint8(TRAIN), found)

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        def parts(block: Rows) -> np.ndarray:
            return np.asarray(block.part).astype(np.int64)

        return parts


def _second(time: datetime | None) -> float:
    # Only the start of training may be left out.
    return -np.inf if time is None else in_utc(time).timestamp()
