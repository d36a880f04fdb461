"""A split that the log says."""

import numpy as np
from typing_extensions import override

from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys, place_of_user
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.building.splits.user_places import places_among, rows_of_user
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import TRAIN, VALIDATION
from recsparse.datasets.workspace import Workspace


class Given(Split):
    """The log says it; without validation rows, a random share of each user's training rows."""

    spares_short_users = False
    parts_in_log = True

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        any_validation = any(
            (np.asarray(block.part) == VALIDATION).any() for block in rows.blocks()
        )

        def parts(block: Rows) -> np.ndarray:
            given = np.asarray(block.part).astype(np.int64)
            if any_validation:
                return given
            training = given == TRAIN
            place = place_of_user(block, keys.of_rows(block))
            place = places_among(block, place, training)
            size = rows_of_user(block, training)
            chosen = (
                training
                & (size >= self.config.min_rows)
                & (place < np.rint(size * self.config.validation))
            )
            return np.where(chosen, VALIDATION, given)

        return parts
