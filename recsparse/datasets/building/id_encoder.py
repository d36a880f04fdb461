"""Ids become integers batch by batch, so that no step ever joins rows on strings.

Numbers follow the order in which ids first come; once all are known they are sorted, and the rows,
which wait on disk, get the indices that result.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsparse.datasets.building.id_table import id_table
from recsparse.datasets.indexed_rows import NO_RATING, NO_TIME, Rows, RowsWriter, read_blocks
from recsparse.datasets.schema import ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Ids:
    """All ids of one axis of a log, in the order of its rows once they are sorted.

    Attributes:
        vocabulary: The ids: those to keep in place first, then the others, sorted.
        hashes: uint64 of each id, from its MD5: what random choices depend on, so that they do not
            change as other ids come and go.
        num_rows: int64, the rows of each id.
    """

    vocabulary: Vocabulary
    hashes: np.ndarray
    num_rows: np.ndarray


class IdEncoder:
    """Numbers the ids of one axis.

    Args:
        work: The workspace.
        kind: Type of the ids, int64 or string.
    """

    def __init__(self, work: Workspace, kind: pa.DataType) -> None:
        self._database, self._kind = work.database, kind
        self._table = id_table(kind)
        self._num_rows = np.zeros(0, dtype=np.int64)

    def add(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Number the ids of a batch.

        Args:
            ids: Ids, none of them null.

        Returns:
            int32, one number per row; equal ids have equal numbers in all batches.
        """
        return self._counted(self._table.add(ids.combine_chunks()))

    def add_numbered(self, numbers: np.ndarray, ids: Vocabulary) -> np.ndarray:
        """Number the ids of a batch that were numbered before.

        Args:
            numbers: One index per row.
            ids: The ids by these indices.

        Returns:
            int32, one number per row.
        """
        used, place = distinct(numbers, len(ids))
        return self._counted(self._table.add(ids.id_of(used))[place])

    def _counted(self, numbers: np.ndarray) -> np.ndarray:
        if len(numbers):
            highest = int(numbers.max())
            if highest >= len(self._num_rows):
                grown = np.zeros(2 * highest + 1, dtype=np.int64)
                grown[: len(self._num_rows)] = self._num_rows
                self._num_rows = grown
            np.add.at(self._num_rows, numbers, 1)
        return numbers

    def finish(self, keep: Vocabulary | None) -> tuple[Ids, np.ndarray]:
        """Order all ids, once every batch has been added.

        Args:
            keep: Ids that come first, in their order, whether they occur or not.

        Returns:
            The ids, and the index of each number.
        """
        kept = self._table.add(keep.ids) if keep else np.zeros(0, dtype=np.int32)
        ids = self._table.ids()
        del self._table  # which is larger than what it was for
        place = np.full(len(ids), len(kept), dtype=np.int32)
        place[kept] = np.arange(len(kept), dtype=np.int32)
        num_rows = np.zeros(len(ids), dtype=np.int64)
        counted = self._num_rows[: len(ids)]
        num_rows[: len(counted)] = counted
        numbered = pa.table({"id": ids, "place": place, "number": np.arange(len(ids))})
        cursor = self._database.cursor()
        cursor.register("numbered", numbered)
        found = cursor.sql(
            """SELECT id, number, md5_number_lower(id::VARCHAR) AS hash
            FROM numbered ORDER BY place, id"""
        ).to_arrow_table()
        cursor.close()
        order = found["number"].to_numpy()
        index = np.empty(len(ids), dtype=np.int32)
        index[order] = np.arange(len(ids), dtype=np.int32)
        vocabulary = Vocabulary(found["id"].combine_chunks().cast(self._kind))
        return Ids(vocabulary, found["hash"].to_numpy(), num_rows[order]), index


# User and item of each row, once they are known, and the other columns.
_Numbered = tuple["Future[np.ndarray]", "Future[np.ndarray]", dict[str, np.ndarray]]


class LogEncoder:
    """Encodes a log: batches of ids in, rows of indices out.

    Args:
        work: The workspace.
        user_type: Type of the user ids.
        item_type: Type of the item ids.
    """

    def __init__(self, work: Workspace, user_type: pa.DataType, item_type: pa.DataType) -> None:
        self._users = IdEncoder(work, user_type)
        self._items = IdEncoder(work, item_type)
        self._folder = work.folder / "batches"
        self._folder.mkdir()
        self._files: list[Path] = []
        self._pool = ThreadPoolExecutor(2)
        self._numbered: _Numbered | None = None

    def add(
        self,
        good: pa.Table,
        part: np.ndarray | None = None,
        text: np.ndarray | None = None,
    ) -> None:
        """Take a batch of checked rows.

        Args:
            good: Canonical interactions.
            part: The part of each row, uint8, where the log gives it.
            text: The place of each row's text, int64, where it has any.
        """
        self._write_numbered()
        self._numbered = (
            self._pool.submit(self._users.add, good[USER_ID]),
            self._pool.submit(self._items.add, good[ITEM_ID]),
            _other_columns(good, part, text),
        )

    def add_numbered(self, rows: Rows, users: Vocabulary, items: Vocabulary) -> None:
        """Take rows that were encoded before.

        Args:
            rows: Rows by index.
            users: The user ids by these indices.
            items: The item ids by these indices.
        """
        self._write_numbered()
        user = self._users.add_numbered(rows.user, users)
        item = self._items.add_numbered(rows.item, items)
        self._write(replace(rows, user=user, item=item))

    def _write_numbered(self) -> None:
        if self._numbered is not None:
            user, item, others = self._numbered
            self._numbered = None
            self._write(Rows(user=user.result(), item=item.result(), **others))

    def _write(self, rows: Rows) -> None:
        if len(rows) == 0:
            return
        path = self._folder / f"{len(self._files):06}.arrow"
        batch = rows.to_batch()
        with RowsWriter(path, batch.schema) as writer:
            writer.write(batch)
        self._files.append(path)

    def finish(
        self, keep_users: Vocabulary | None, keep_items: Vocabulary | None
    ) -> tuple[Ids, Ids, Iterator[Rows]]:
        """Order the ids of both axes, once every batch has been added.

        Args:
            keep_users: User ids that come first, in their order.
            keep_items: Item ids that come first, in their order.

        Returns:
            Users, items, and the rows by their indices, to be read once.
        """
        self._write_numbered()
        self._pool.shutdown()
        users, user_index = self._users.finish(keep_users)
        items, item_index = self._items.finish(keep_items)
        return users, items, self._indexed(user_index, item_index)

    def _indexed(self, users: np.ndarray, items: np.ndarray) -> Iterator[Rows]:
        for path in self._files:
            for rows in read_blocks(path):
                yield replace(rows, user=users[rows.user], item=items[rows.item])
            path.unlink()


def _other_columns(
    good: pa.Table, part: np.ndarray | None, text: np.ndarray | None
) -> dict[str, np.ndarray]:
    rating = good[RATING].fill_null(NO_RATING).to_numpy()
    columns = {
        # Plus zero, since −0 and 0 are equal where rows are sorted, but other bytes.
        "weight": good[WEIGHT].to_numpy() + np.float32(0),
        "timestamp": good[TIMESTAMP].fill_null(NO_TIME).to_numpy(),
        "rating": np.where(np.isnan(rating), NO_RATING, rating) + np.float32(0),
        "part": part,
        "text": text,
    }
    return {name: column for name, column in columns.items() if column is not None}


def distinct(numbers: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct numbers, rising, and the place among them of each.

    Args:
        numbers: Integers from 0 to size − 1.
        size: One more than the largest possible number.

    Returns:
        Distinct numbers, and one int32 per row.
    """
    used = np.zeros(size, dtype=bool)
    used[numbers] = True
    place = np.cumsum(used, dtype=np.int32) - 1
    return np.flatnonzero(used), place[numbers]
