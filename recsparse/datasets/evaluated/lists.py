"""Lists: what each list of a part may be made from and is compared with, a batch at a time."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsparse.datasets.matrices import laid_out, last_of_cells
from recsparse.datasets.parts import EvaluationPart


@dataclass(frozen=True, eq=False)
class SharedCells:
    """A matrix whose rows share cells, laid out a few rows at a time.

    Each row is a stretch of one run of cells. The lists of one user overlap: laid out all at once,
    they would take the square of what the user did.

    Attributes:
        first: Place of the first cell of each row.
        last: Place behind the last cell of each row.
        column: Column of each cell; −1 for cells that are left out.
        value: Of each cell.
        num_columns: Columns of the matrix.
        are_times: Of several values of a row in one column the last one counts; else their sum.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    column: NDArray[np.int64]
    value: np.ndarray
    num_columns: int
    are_times: bool = False

    @classmethod
    def of_matrix(cls, matrix: csr_matrix, are_times: bool = False) -> "SharedCells":
        """Take the rows of a matrix, which share nothing.

        Args:
            matrix: Any matrix.
            are_times: Whether its values are times.

        Returns:
            The same cells.
        """
        first, last = (matrix.indptr[some].astype(np.int64) for some in (np.s_[:-1], np.s_[1:]))
        column = matrix.indices.astype(np.int64)
        return cls(first, last, column, matrix.data, matrix.shape[1], are_times)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.first), self.num_columns

    def __getitem__(self, rows: slice) -> csr_matrix:
        first, last = self.first[rows], self.last[rows]
        size = last - first
        row = np.repeat(np.arange(len(first)), size)
        cell = np.arange(size.sum()) + np.repeat(last - size.cumsum(), size)
        kept = self.column[cell] >= 0
        row, cell = row[kept], cell[kept]
        shape = len(first), self.num_columns
        if not self.are_times:
            return laid_out(row, self.column[cell], self.value[cell], shape)
        row, column, time = last_of_cells(row, self.column[cell], self.value[cell])
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
        return csr_matrix((time, column, indptr), shape=shape)

    def num_cells(self) -> NDArray[np.int64]:
        """Count the cells of each row.

        Returns:
            Several in one column count each.
        """
        before = np.concatenate([[0], np.cumsum(self.column >= 0)])
        return before[self.last] - before[self.first]

    def of_rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "SharedCells":
        """Leave some of the rows.

        Args:
            chosen: One truth per row, or the places of rows.

        Returns:
            These rows.
        """
        return replace(self, first=self.first[chosen], last=self.last[chosen])

    def with_columns(self, column: np.ndarray, num_columns: int) -> "SharedCells":
        """Move the cells to other columns.

        Args:
            column: The new column of each column; −1 leaves cells out.
            num_columns: Columns of the result.

        Returns:
            The moved cells.
        """
        # The last one is for cells that are left out already.
        moved = np.append(column, -1).astype(np.int64)[self.column]
        return replace(self, column=moved, num_columns=num_columns)


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of items that are to be made for users, one per row.

    Attributes:
        user: The user of each list, from 0 on and rising; every user has one. A later list of a
            user knows more and has fewer targets, none that the one before it lacks.
        history: Lists × items, what a model may see.
        targets: Lists × items, what it has to predict; at least one per list.
        times: The time of each cell of the history; None where the log has no times.
    """

    user: NDArray[np.int64]
    history: SharedCells
    targets: SharedCells
    times: SharedCells | None = None

    @classmethod
    def of_part(cls, part: EvaluationPart) -> "Lists":
        """Make one list for each user of a part.

        Args:
            part: Histories and targets.

        Returns:
            The lists.
        """
        return cls(
            np.arange(part.history.shape[0]),
            SharedCells.of_matrix(part.history),
            SharedCells.of_matrix(part.targets),
            None if part.times is None else SharedCells.of_matrix(part.times, are_times=True),
        )

    def __len__(self) -> int:
        return len(self.user)

    def are_first(self) -> NDArray[np.bool_]:
        """Say which lists are the first of their user.

        Returns:
            One truth a list.
        """
        return np.diff(self.user, prepend=-1) > 0

    def of_lists(self, chosen: NDArray[np.bool_]) -> "Lists":
        """Leave some of the lists.

        Args:
            chosen: One truth a list.

        Returns:
            These lists; users are counted anew.
        """
        lists = replace(
            self,
            user=self.user[chosen],
            history=self.history.of_rows(chosen),
            targets=self.targets.of_rows(chosen),
            times=None if self.times is None else self.times.of_rows(chosen),
        )
        return replace(lists, user=lists.are_first().cumsum() - 1)

    def ratings(self) -> csr_matrix:
        """Lay each target out once, in the last list of its user that has it.

        Returns:
            Lists × items; a rating that is predicted there is predicted from all that came before.
        """
        end = self.targets.last.copy()
        follows = ~self.are_first()[1:]
        end[:-1][follows] = self.targets.first[1:][follows]
        return replace(self.targets, last=end)[:]
