"""The parts of a split log, and the users of one to rank items for."""

from dataclasses import dataclass

import pyarrow as pa
from scipy.sparse import csr_matrix

TRAIN, VALIDATION, TEST, VALIDATION_HISTORY, TEST_HISTORY = range(5)
PART_NAMES = ("train", "validation", "test", "validation_history", "test_history")
# Those that a caller names: what a model may see of held-out users belongs to `train`.
PARTS = PART_NAMES[:3]


@dataclass(frozen=True)
class EvaluationPart:
    """Users to rank items for.

    Attributes:
        user_ids: One id per row.
        history: Users × items, what a model may see.
        targets: Users × items, what it has to predict; at least one per row.
        times: The time of each cell of the history; None where the log has no times.
    """

    user_ids: pa.Array
    history: csr_matrix
    targets: csr_matrix
    times: csr_matrix | None = None


@dataclass(frozen=True)
class Parts:
    """The parts of a log; every row is in exactly one.

    Columns: `user_index`, `item_index`, `weight`, `timestamp` (seconds since 1970, UTC, null where
    unknown), `rating` (null where unknown). The rows of a user are together, by time, then item.
    An index past the training vocabulary is an unseen user or item.

    Attributes:
        train: Rows that everything is fitted on.
        validation: Rows to predict while choosing settings.
        test: Rows to predict once, at the end.
        validation_history: For held-out users: what a model may see of the validation users.
        test_history: For held-out users: what a model may see of the test users.
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    validation_history: pa.Table
    test_history: pa.Table

    def set_apart(self, name: str) -> pa.Table | None:
        """Return what a split set apart for a model to see of the users of a part.

        Args:
            name: `validation` or `test`.

        Returns:
            The rows; None where a model sees all rows of the parts before.
        """
        shown = self.validation_history if name == "validation" else self.test_history
        return shown if shown.num_rows else None

    @property
    def all(self) -> tuple[pa.Table, ...]:
        """Every part."""
        shown = self.validation_history, self.test_history
        return self.train, self.validation, self.test, *shown
