"""LogRows: the good rows of one log, read once and given back by user, out of core."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recsparse.datasets.building.bucket_sort import sorted_rows
from recsparse.datasets.building.id_encoder import LogEncoder
from recsparse.datasets.building.intake import IntakeCounts
from recsparse.datasets.building.prefetch import prefetched
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.workspace import Workspace


@dataclass(frozen=True)
class SortedRows:
    """Rows by user and time.

    Attributes:
        num_users: Number of users.
        num_items: Number of items.
        blocks: The rows, all rows of a user in one block; to be read once.
    """

    num_users: int
    num_items: int
    blocks: Iterator[Rows]


class LogRows:
    """Reads a log; what is not good is counted and left out.

    Args:
        source: The log.
        work: The workspace.
        advance: Called with the number of rows read so far.
    """

    def __init__(
        self, source: LogSource, work: Workspace, advance: Callable[[int], None] = lambda rows: None
    ) -> None:
        self.counts, self._work = IntakeCounts(), work
        self._encoder = LogEncoder(work, source.user_type, source.item_type)
        for batch in prefetched(source.batches()):
            self.counts.add(batch)
            self.counts.kept += batch.good.num_rows
            if batch.good.num_rows:
                self._encoder.add(batch.good)
            advance(self.counts.rows_read)

    def sorted(self) -> SortedRows:
        """Return the rows by user, duplicates included; to be called once.

        Returns:
            The rows; none where none was good.
        """
        if self.counts.kept == 0:
            return SortedRows(0, 0, iter(()))
        users, items, blocks = self._encoder.finish(None, None)
        ordered = sorted_rows(blocks, users.num_rows, self._work.folder)
        return SortedRows(len(users.vocabulary), len(items.vocabulary), ordered)
