"""A random share of each user's rows."""

import numpy as np
from typing_extensions import override

from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys, place_of_user
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.building.splits.user_places import places_among, rows_of_user
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import TEST, TRAIN, VALIDATION
from recsparse.datasets.workspace import Workspace


class RandomRows(Split):
    """Of each user's rows, a random share for test and for validation, in whole rows.

    Users with few rows may get none. With `folds`, the test is one fold of each user's rows.
    """

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        def parts(rows: Rows) -> np.ndarray:
            size, place = rows_of_user(rows), place_of_user(rows, keys.of_rows(rows))
            if self.config.folds is None:
                num_test = np.rint(size * self.config.test)
                place = place - num_test
                is_test = place < 0
            else:
                # The user's key turns the folds, so that short users do not all fill the first.
                turn = (keys.users[rows.user] % np.uint64(self.config.folds)).astype(np.int64)
                fold = (place + turn) % self.config.folds
                is_test = fold == self.config.fold
                place = places_among(rows, place, ~is_test)
            in_validation = ~is_test & (place < np.rint(size * self.config.validation))
            return np.where(is_test, TEST, np.where(in_validation, VALIDATION, TRAIN))

        return parts
