"""Users that training does not see."""

import numpy as np
from typing_extensions import override

from recsparse.config.data import SplitConfig
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys, place_of_user
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.building.splits.user_places import rows_of_user
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import TEST, TEST_HISTORY, TRAIN, VALIDATION, VALIDATION_HISTORY
from recsparse.datasets.workspace import Workspace


class HeldOutUsers(Split):
    """Some users for test and some for validation, of whom a model sees a random share of rows.

    It predicts the rest (Liang et al. 2018, https://arxiv.org/abs/1802.05814, section 4.2).
    """

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        config, role = self.config, _roles(rows.rows_of_user, keys, self.config)

        def parts(block: Rows) -> np.ndarray:
            size, of_row = rows_of_user(block), role[block.user]
            place = place_of_user(block, keys.of_rows(block))
            # At least one row on either side: what the model sees, and what it has to predict.
            seen = np.clip(np.rint(size * config.fold_in), 1, np.maximum(size - 1, 1))
            history = np.where(of_row == TEST, TEST_HISTORY, VALIDATION_HISTORY)
            return np.where((of_row != TRAIN) & (place < seen), history, of_row)

        return parts


def _roles(rows_of_user: np.ndarray, keys: Keys, config: SplitConfig) -> np.ndarray:
    """Say for each user whether it is for training, validation or test."""
    long_enough = np.flatnonzero(rows_of_user >= config.min_rows)
    shuffled = long_enough[np.argsort(keys.users[long_enough], kind="stable")]
    size = len(shuffled)
    if config.folds is None:
        first, num_test = 0, round(size * config.test)
    else:
        first, last = (size * fold // config.folds for fold in (config.fold, config.fold + 1))
        num_test = last - first
    role = np.full(len(rows_of_user), TRAIN)
    role[shuffled[first : first + num_test]] = TEST
    others = np.concatenate([shuffled[first + num_test :], shuffled[:first]])
    role[others[: round(size * config.validation)]] = VALIDATION
    return role
