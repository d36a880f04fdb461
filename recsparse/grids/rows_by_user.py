"""RowsByUser: the rows of some users out of a sorted table that stays on disk."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsparse.datasets.indexed_rows import USER_INDEX
from recsparse.errors import InputError
from recsparse.grids.grid_spec import CHUNK_ROWS


@dataclass(frozen=True, eq=False)
class RowsByUser:
    """A table sorted by user, and where the rows of each user are.

    Only where the users begin is in memory, 8 bytes per user.

    Attributes:
        schema: Of the columns that are returned.
        batches: The table as it lies in its file.
        first_row: The first row of each batch.
        user_ptr: The first row of each user, and behind them the number of rows.
    """

    schema: pa.Schema
    batches: list[pa.RecordBatch]
    first_row: np.ndarray
    user_ptr: np.ndarray

    @classmethod
    def of(cls, rows: pa.Table, num_users: int, columns: list[str]) -> "RowsByUser":
        """Find the rows of each user in one pass over the column of users.

        Args:
            rows: With the column `user_index`, which must not fall.
            num_users: Of the training; users past them are found, too.
            columns: Those that `take` is to return.

        Returns:
            The rows by user.

        Raises:
            InputError: If the rows are not sorted by user.
        """
        counts = np.zeros(num_users, dtype=np.int64)
        before, num_rows = -1, 0
        for batch in rows.select([USER_INDEX]).to_batches(max_chunksize=CHUNK_ROWS):
            user = batch.column(USER_INDEX).to_numpy()
            steps = np.diff(user, prepend=np.int64(before))
            if (steps < 0).any():
                row = num_rows + int((steps < 0).argmax())
                raise InputError(
                    f"rows must be sorted by {USER_INDEX}, but row {row} has a lower one than the "
                    f"row before; mend it by rows.sort_by('{USER_INDEX}')"
                )
            before, num_rows = user.max(initial=before), num_rows + len(user)
            found = np.bincount(user, minlength=len(counts))
            found[: len(counts)] += counts
            counts = found
        table = rows.select(columns)
        batches = [batch for batch in table.to_batches() if batch.num_rows]
        first_row = np.cumsum([0, *(batch.num_rows for batch in batches)])[:-1]
        user_ptr = np.concatenate([[0], np.cumsum(counts)])
        return cls(table.schema, batches, first_row, user_ptr)

    @property
    def num_users(self) -> int:
        """The users of the training, and those past them that have rows."""
        return len(self.user_ptr) - 1

    def take(self, users: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        """Return the rows of some users.

        Args:
            users: At least one, each once.

        Returns:
            The rows, each user's together and in their order, users by their index; and for each
            row the place of its user in `users`.
        """
        place = np.argsort(users)
        start, end = self.user_ptr[users[place]], self.user_ptr[users[place] + 1]
        sizes = end - start
        # The rows of each user, one after the other: they rise, since the users do.
        row = np.arange(sizes.sum()) + np.repeat(start - (np.cumsum(sizes) - sizes), sizes)
        return self._rows(row), np.repeat(place, sizes)

    def _rows(self, row: np.ndarray) -> pa.Table:
        cuts = np.append(np.searchsorted(row, self.first_row), len(row))
        pieces = []
        for number in np.flatnonzero(np.diff(cuts)):
            local = row[cuts[number] : cuts[number + 1]] - self.first_row[number]
            batch = self.batches[number]
            if local[-1] - local[0] + 1 == len(local):
                pieces.append(batch.slice(int(local[0]), len(local)))
            else:
                pieces.append(batch.take(pa.array(local)))
        return pa.Table.from_batches(pieces, self.schema)
