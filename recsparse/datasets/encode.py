"""Ids become integers batch by batch, so that no step ever joins rows on strings.

Each batch numbers its own distinct ids; only those, far fewer than the rows, go to DuckDB, which
sorts the distinct ids of all batches. Then the numbers of a batch are looked up in a short array.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsparse.datasets.rows import NO_RATING, NO_TIME, Rows, RowsWriter, read_blocks
from recsparse.datasets.schema import ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Workspace
from recsparse.errors import InputError

_MAX_IDS = 2**31 - 1
_LOOK_UPS = 1_048_576


@dataclass(frozen=True, eq=False)
class Ids:
    """All ids of one axis of a log, in the order of its rows once they are sorted.

    Attributes:
        vocabulary: The ids: those to keep in place first, then the others, sorted.
        hashes: uint64 of each id, from its MD5: what random choices depend on, so that they do not
            change as other ids come and go.
    """

    vocabulary: Vocabulary
    hashes: np.ndarray


class IdEncoder:
    """Numbers the ids of one axis.

    Args:
        work: The workspace.
        name: A table name that nothing else uses.
        kind: Type of the ids, int64 or string.
    """

    def __init__(self, work: Workspace, name: str, kind: pa.DataType) -> None:
        self._database, self._name, self._kind = work.database, name, kind
        self._batches = 0
        column = "BIGINT" if pa.types.is_integer(kind) else "VARCHAR"
        self._database.execute(f"CREATE TABLE {name} (batch INTEGER, place INTEGER, id {column})")

    def add(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Number the ids of a batch, each batch from 0.

        Args:
            ids: Ids, none of them null.

        Returns:
            int32, a number a row.
        """
        encoded = ids.combine_chunks().dictionary_encode()
        self._see(encoded.dictionary)
        numbers: np.ndarray = encoded.indices.to_numpy()
        return numbers

    def add_numbered(self, numbers: np.ndarray, ids: Vocabulary) -> np.ndarray:
        """Number the ids of a batch that were numbered before.

        Args:
            numbers: An index a row.
            ids: The ids by these indices.

        Returns:
            int32, a number a row.
        """
        used, place = distinct(numbers, len(ids))
        self._see(ids.id_of(used))
        return place

    def _see(self, distinct: pa.Array) -> None:
        seen = pa.table(
            {
                "batch": pa.array(np.full(len(distinct), self._batches, dtype=np.int32)),
                "place": pa.array(np.arange(len(distinct), dtype=np.int32)),
                "id": distinct,
            }
        )
        self._database.register("seen", seen)
        self._database.execute(f"INSERT INTO {self._name} SELECT * FROM seen")
        self._database.unregister("seen")
        self._batches += 1

    def finish(self, keep: Vocabulary | None) -> tuple[Ids, Iterator[np.ndarray]]:
        """Order all ids, once every batch has been added.

        Args:
            keep: Ids that come first, in their order, whether they occur or not.

        Returns:
            The ids, and for each batch, in turn, the index of each of its numbers.

        Raises:
            InputError: If there are more than 2^31 − 1 ids.
        """
        kept = pa.table(
            {
                "id": keep.ids if keep else pa.array([], self._kind),
                "place": np.arange(len(keep) if keep else 0, dtype=np.int64),
            }
        )
        self._database.register("kept", kept)
        self._database.execute(
            f"""CREATE TABLE {self._name}_all AS
            SELECT id, row_number() OVER (ORDER BY place NULLS LAST, id) - 1 AS index,
                md5_number_lower(id::VARCHAR) AS hash
            FROM (SELECT DISTINCT id FROM {self._name}) FULL JOIN kept USING (id)"""
        )
        self._database.unregister("kept")
        found = self._database.sql(
            f"SELECT id, hash FROM {self._name}_all ORDER BY index"
        ).to_arrow_table()
        if len(found) > _MAX_IDS:
            raise InputError(
                f"users and items must be fewer than 2^31 each, but there are {len(found)} in "
                f"{self._name}; split the log"
            )
        ids = Ids(Vocabulary(_one_chunk(found["id"], self._kind)), found["hash"].to_numpy())
        return ids, self._look_ups()

    def _look_ups(self) -> Iterator[np.ndarray]:
        """Yield the index of each number, batch by batch."""
        cursor = self._database.cursor()
        reader = cursor.sql(
            f"""SELECT batch, index::INTEGER AS index FROM {self._name}
            JOIN {self._name}_all USING (id) ORDER BY batch, place"""
        ).to_arrow_reader(_LOOK_UPS)
        current = 0
        pieces: list[np.ndarray] = []
        for block in reader:
            batch, index = (np.asarray(block.column(name)) for name in ("batch", "index"))
            cuts = np.flatnonzero(np.diff(batch)) + 1
            for piece, number in zip(
                np.split(index, cuts), batch[np.concatenate([[0], cuts])], strict=True
            ):
                while current < number:
                    yield _joined(pieces)
                    current, pieces = current + 1, []
                pieces.append(piece)
        while current < self._batches:
            yield _joined(pieces)
            current, pieces = current + 1, []


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)


def _one_chunk(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    try:
        return column.combine_chunks().cast(kind)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"the distinct ids of an axis must take less than 2 GB as strings, but {error}; use "
            "integer ids"
        ) from error


class LogEncoder:
    """Encodes a log: batches of ids in, rows of indices out.

    Args:
        work: The workspace.
        user_type: Type of the user ids.
        item_type: Type of the item ids.
    """

    def __init__(self, work: Workspace, user_type: pa.DataType, item_type: pa.DataType) -> None:
        self._users = IdEncoder(work, "users", user_type)
        self._items = IdEncoder(work, "items", item_type)
        self._folder = work.folder / "batches"
        self._folder.mkdir()
        self._files: list[Path] = []

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
        timestamp = good[TIMESTAMP].fill_null(NO_TIME).to_numpy()
        rating = good[RATING].fill_null(NO_RATING).to_numpy()
        rows = Rows(
            self._users.add(good[USER_ID]),
            self._items.add(good[ITEM_ID]),
            # Plus zero, since −0 and 0 are equal where rows are sorted, but other bytes.
            good[WEIGHT].to_numpy() + np.float32(0),
            timestamp,
            np.where(np.isnan(rating), NO_RATING, rating) + np.float32(0),
            part,
            text,
        )
        self._write(rows)

    def add_numbered(self, rows: Rows, users: Vocabulary, items: Vocabulary) -> None:
        """Take rows that were encoded before.

        Args:
            rows: Rows by index.
            users: The user ids by these indices.
            items: The item ids by these indices.
        """
        user = self._users.add_numbered(rows.user, users)
        item = self._items.add_numbered(rows.item, items)
        self._write(replace(rows, user=user, item=item))

    def _write(self, rows: Rows) -> None:
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
        users, user_look_ups = self._users.finish(keep_users)
        items, item_look_ups = self._items.finish(keep_items)
        return users, items, self._indexed(user_look_ups, item_look_ups)

    def _indexed(self, users: Iterable[np.ndarray], items: Iterable[np.ndarray]) -> Iterator[Rows]:
        for path, user, item in zip(self._files, users, items, strict=True):
            for rows in read_blocks(path):
                yield replace(rows, user=user[rows.user], item=item[rows.item])
            path.unlink()


def distinct(numbers: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct numbers, rising, and the place among them of each.

    Args:
        numbers: Integers from 0 to size − 1.
        size: One more than the largest possible number.

    Returns:
        Distinct numbers, and an int32 a row.
    """
    used = np.zeros(size, dtype=bool)
    used[numbers] = True
    place = np.cumsum(used, dtype=np.int32) - 1
    return np.flatnonzero(used), place[numbers]
