"""The checked rows of a dataset's log, kept so that new days can be appended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recsparse.datasets.building.id_encoder import LogEncoder
from recsparse.datasets.building.reviews import Reviews
from recsparse.datasets.building.taken import TakenFile, load_taken
from recsparse.datasets.dataset_folder import REJECTED, read_dataset_description
from recsparse.datasets.indexed_rows import Rows, RowsWriter, read_blocks
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError

FOLDER = "log"
_ROWS, _USERS, _ITEMS = "rows.arrow", "users.parquet", "items.parquet"


def stored(blocks: Iterable[Rows], folder: Path) -> Iterator[Rows]:
    """Write blocks of rows as they pass by.

    Args:
        blocks: Sorted rows, before duplicates are dropped.
        folder: The dataset folder.

    Yields:
        The same blocks.
    """
    (folder / FOLDER).mkdir()
    writer: RowsWriter | None = None
    try:
        for block in blocks:
            batch = block.to_batch()
            if writer is None:
                writer = RowsWriter(folder / FOLDER / _ROWS, batch.schema, compression="lz4")
            writer.write(batch)
            yield block
    finally:
        if writer is not None:
            writer.close()


def save_log(users: Vocabulary, items: Vocabulary, reviews: Reviews | None, folder: Path) -> None:
    """Write all ids and texts of the log next to its rows.

    Args:
        users: Ids by the indices of the stored rows.
        items: Likewise.
        reviews: Texts of the rows, if they have any.
        folder: The dataset folder.
    """
    users.save(folder / FOLDER / _USERS)
    items.save(folder / FOLDER / _ITEMS)
    if reviews is not None:
        reviews.save(folder / FOLDER)


@dataclass(frozen=True, eq=False)
class LogStore:
    """The rows that a dataset was made of.

    Attributes:
        users: All user ids of the log.
        items: All item ids of the log.
        path: The file of rows.
        rejected: The file of rows that were set aside.
        counts: The counts of the dataset.
        taken: The files that it was made of; None where an older build kept no record.
    """

    users: Vocabulary
    items: Vocabulary
    path: Path
    rejected: Path
    counts: dict[str, int]
    taken: list[TakenFile] | None

    @classmethod
    def open(cls, dataset: Path) -> "LogStore":
        """Open the rows of a dataset.

        Args:
            dataset: A dataset folder.

        Returns:
            The store.

        Raises:
            InputError: If a file is missing or damaged.
        """
        folder = dataset / FOLDER
        users, items = (Vocabulary.load(folder / name) for name in (_USERS, _ITEMS))
        counts = read_dataset_description(dataset)["counts"]
        taken = load_taken(folder)
        return cls(users, items, folder / _ROWS, dataset / REJECTED, counts, taken)

    def add_to(self, encoder: LogEncoder) -> None:
        """Hand all rows to an encoder, without reading or checking a log again.

        Args:
            encoder: Takes ids of the same types.

        Raises:
            InputError: If the file of rows is missing or damaged.
        """
        for rows in self._blocks():
            encoder.add_numbered(rows, self.users, self.items)

    def _blocks(self) -> Iterator[Rows]:
        try:
            yield from read_blocks(self.path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{self.path} must be the Arrow file that was written there, but {error}; prepare "
                "everything anew"
            ) from error
