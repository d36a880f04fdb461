"""JobScores: scores of the pairs of a batch job, whose users are each folded in once.

Models that score by vectors make those of all users of the job first; the pairs are then scored as
they come. Other models score all items of a user at once: their pairs are laid out in files, and
scored a group of users at a time, whatever the order of the pairs.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsparse.config.choices import OnUnknown
from recsparse.errors import UnknownIdError
from recsparse.files.scratch import ScratchColumn, scratch_array
from recsparse.reporting.progress import Reporter
from recsparse.scoring.located_pairs import LocatedPairs
from recsparse.scoring.parted_output import PartedOutput
from recsparse.scoring.request_columns import UnknownIds, slices
from recsparse.scoring.trained import TrainedModel

# Pairs that are scored together where the model has no vectors.
_PAIRS_PER_GROUP = 4_000_000
# Rows of the files that are looked at together.
_ROWS_AT_ONCE = 1_000_000


class JobScores:
    """Scores the parts of a job in turn.

    Args:
        trained: The model.
        on_unknown: What is done with ids never seen.
        batches: Reads the ids of all pairs of the job, from the first on.
        output: Where groups of scores are kept until the job ends.
        reporter: Says what is done before the first part.
    """

    def __init__(
        self,
        trained: TrainedModel,
        on_unknown: OnUnknown,
        batches: Callable[[], Iterator[pa.RecordBatch]],
        output: PartedOutput,
        reporter: Reporter,
    ) -> None:
        self.trained, self.on_unknown = trained, on_unknown
        self.batches, self.output, self.reporter = batches, output, reporter

    def of(self, table: pa.Table, first: int, are_all: bool = False) -> NDArray[np.float32]:
        """Return the scores of some rows.

        Args:
            table: The rows.
            first: How many rows of the job are before them.
            are_all: Whether the job has no other rows.

        Returns:
            One score a row, as `TrainedModel.score`.

        Raises:
            UnknownIdError: If an id of the job is unknown and `on_unknown` is `error`.
        """
        if are_all:
            return self.trained.score(table, self.on_unknown)
        try:
            located = self.trained.located(table, self.on_unknown)
        except UnknownIdError:
            deque(self._located(), maxlen=0)  # which tells those of all rows
            raise
        known = located.known
        if self.trained.scorer.is_by_vectors:
            indices = located.user_index[known], located.item_index[known]
            if self.trained.scorer.to_fold_in(indices[0]).any():
                self._folded_in  # noqa: B018  (once)
            of_known = self.trained.scorer.pair_scores(*indices)
        else:
            of_known = self._grouped[first : first + len(known)][known]
        return self.trained.filled(located, of_known, self.on_unknown)

    @cached_property
    def _folded_in(self) -> None:
        """The vectors that are not stored are there, once this has been read."""
        wanted = np.zeros(len(self.trained.users), dtype=bool)
        with self.reporter.task("folding in the users of the candidates"):
            for pairs in self._located():
                wanted[pairs.user_index[pairs.known]] = True
            self.trained.scorer.fold_in(np.flatnonzero(wanted))

    @cached_property
    def _grouped(self) -> NDArray[np.float32]:
        """The scores of all rows of the job, in a file."""
        with self.reporter.task("looking the candidates up"):
            users, items = self._laid_out()
        scores = scratch_array((len(users),), np.float32)
        groups = _groups(users, len(self.trained.users))
        with self.reporter.task("scoring the candidates by user", len(groups)) as advance:
            for group, (first, last) in enumerate(groups):
                rows = _rows_of_users(users, items, first, last)
                scores[rows] = self._group(group, users[rows], items[rows])
                advance(group + 1)
        return scores

    def _group(
        self, group: int, users: NDArray[np.int32], items: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        kept = self.output.kept(group)
        if kept is not None and kept.num_rows == len(users):
            found: NDArray[np.float32] = kept["score"].to_numpy()
            return found
        indices = users.astype(np.int64), items.astype(np.int64)
        found = self.trained.scorer.pair_scores(*indices)
        self.output.keep(group, pa.table({"score": found}))
        return found

    def _laid_out(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the user and the item of each row of the job, in files."""
        with ScratchColumn(np.int32) as users, ScratchColumn(np.int32) as items:
            for pairs in self._located():
                users.append(pairs.user_index)
                items.append(pairs.item_index)
            return users.array(), items.array()

    def _located(self) -> Iterator[LocatedPairs]:
        """Yield where the pairs of the job lie; unknown ids are told when all are counted."""
        users, items = UnknownIds("user_id"), UnknownIds("item_id")
        for batch in self.batches():
            located = self.trained.located(pa.table(batch), "null")
            users.add(batch["user_id"], located.user_index)
            items.add(batch["item_id"], located.item_index)
            yield located
        if self.on_unknown == "error":
            users.refuse()
            items.refuse()


def _groups(users: NDArray[np.int32], num_users: int) -> list[tuple[int, int]]:
    """Return ranges of users, each of few pairs or of one user, that hold all pairs."""
    count = np.zeros(num_users, dtype=np.int64)
    for rows in slices(len(users), _ROWS_AT_ONCE):
        some = users[rows]
        count += np.bincount(some[some >= 0], minlength=num_users)
    number = np.maximum(count.cumsum() - 1, 0) // _PAIRS_PER_GROUP
    starts = np.flatnonzero(np.diff(number, prepend=-1)) if num_users else np.zeros(0, np.int64)
    ends = [*starts[1:], num_users]
    return [(int(first), int(last)) for first, last in zip(starts, ends, strict=False)]


def _rows_of_users(
    users: NDArray[np.int32], items: NDArray[np.int32], first: int, last: int
) -> NDArray[np.int64]:
    """Return the rows with known items of the users from one to before another."""
    found = [np.zeros(0, dtype=np.int64)]
    for rows in slices(len(users), _ROWS_AT_ONCE):
        some = users[rows]
        wanted = (some >= first) & (some < last) & (items[rows] >= 0)
        found.append(np.flatnonzero(wanted) + rows.start)
    return np.concatenate(found)
