"""Items that training does not see."""

import numpy as np
from typing_extensions import override

from recsparse.config.data import SplitConfig
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys, place_of_user
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.building.splits.user_places import places_among, rows_of_user
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import TEST, TRAIN, VALIDATION
from recsparse.datasets.workspace import Workspace


class HeldOutItems(Split):
    """Some items for test and some for validation, with all their rows.

    Of each user's rows of the other items, `known_targets` go to the test and as many to
    validation, so that these parts have targets of both kinds.
    """

    spares_short_users = False

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        config, role = self.config, _roles(rows.rows_of_item, keys, self.config)

        def parts(block: Rows) -> np.ndarray:
            of_item = role[block.item]
            others = of_item == TRAIN
            place = places_among(block, place_of_user(block, keys.of_rows(block)), others)
            size = rows_of_user(block, others)
            num_targets = np.rint(size * config.known_targets) * (size >= config.min_rows)
            drawn = np.where(place < num_targets, TEST, VALIDATION)
            return np.where(others & (place < 2 * num_targets), drawn, of_item)

        return parts


def _roles(rows_of_item: np.ndarray, keys: Keys, config: SplitConfig) -> np.ndarray:
    """Say for each item whether it is for training, validation or test."""
    in_log = np.flatnonzero(rows_of_item)
    shuffled = in_log[np.argsort(keys.items[in_log], kind="stable")]
    num_test, num_validation = (
        round(len(shuffled) * share) for share in (config.test, config.validation)
    )
    role = np.full(len(rows_of_item), TRAIN)
    role[shuffled[:num_test]] = TEST
    role[shuffled[num_test : num_test + num_validation]] = VALIDATION
    return role
