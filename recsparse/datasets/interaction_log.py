"""InteractionLog: the checked interactions of a log that fits into memory."""

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from recsparse.config.data import LogConfig
from recsparse.datasets.duplicates import table_without_duplicates
from recsparse.datasets.reading.find_files import Paths
from recsparse.datasets.reading.log_files import (
    NO_OTHERS,
    OtherIds,
)
from recsparse.datasets.reading.log_source import LogSource, listed
from recsparse.datasets.schema import TIMESTAMP
from recsparse.errors import InputError


@dataclass(frozen=True)
class LogCounts:
    """What happened to the rows of a log.

    Attributes:
        rows_read: Rows in the files.
        rejected: Rows set aside, by reason.
        below_min_rating: Rows left out for their rating.
        duplicates: Rows that another one of the same user and item replaced or took up; where
            duplicates are kept, how many there are.
        rows_kept: Rows left.
    """

    rows_read: int
    rejected: dict[str, int] = field(default_factory=dict)
    below_min_rating: int = 0
    duplicates: int = 0
    rows_kept: int = 0


@dataclass(frozen=True)
class InteractionLog:
    """Checked interactions of a log that fits into memory.

    Attributes:
        table: Canonical columns: `user_id`, `item_id`, `weight`, `timestamp` (seconds since 1970,
            UTC, null where unknown), `rating`.
        rejected: The rows set aside, with their own columns and a `reason`.
        counts: How many rows went where.
        is_timed: Whether a row has a time of its own.
    """

    table: pa.Table
    rejected: pa.Table
    counts: LogCounts
    is_timed: bool

    @classmethod
    def read(
        cls,
        paths: Paths,
        config: LogConfig,
        in_order: bool = False,
        others: OtherIds = NO_OTHERS,
    ) -> "InteractionLog":
        """Read, check and clean a log.

        Args:
            paths: One or several files or folders.
            config: Names of the columns, and what to do with doubtful rows.
            in_order: Where no row has a time, its place in the log stands for it, so that later
                rows are later; such times have no age.
            others: Ids that those of the log are to fit.

        Returns:
            The log, its rows in the order of the files unless they are filtered.

        Raises:
            InputError: If no row is left.
        """
        source = LogSource.open(paths, config, others=others)
        batches = list(source.batches())
        read = sum(batch.rows_read for batch in batches)
        if read == 0:
            chosen = "" if config.where is None else f" for which {config.where}"
            raise InputError(f"the log must have rows, but {source.where} has none{chosen}")
        reasons: Counter[str] = Counter()
        for batch in batches:
            reasons.update(batch.reasons)
        below = sum(batch.below_min_rating for batch in batches)
        good = pa.concat_tables([batch.good for batch in batches])
        if good.num_rows == 0:
            left_out = {
                **reasons,
                "rating too low": below,
                "event without a weight": sum(batch.other_events for batch in batches),
            }
            raise InputError(
                f"{source.where} must have good rows, but of {read} none is left: "
                f"{listed(left_out)}"
            )
        is_timed = good[TIMESTAMP].null_count < good.num_rows
        if in_order and not is_timed:
            good = _by_place(good)
        half_life = config.half_life_days if is_timed else None
        kept, duplicates = table_without_duplicates(good, config.duplicates, half_life)
        counts = LogCounts(read, dict(sorted(reasons.items())), below, duplicates, kept.num_rows)
        rejected = pa.concat_tables([batch.rejected for batch in batches])
        return cls(kept, rejected, counts, is_timed)


def _by_place(rows: pa.Table) -> pa.Table:
    column = rows.schema.get_field_index(TIMESTAMP)
    return rows.set_column(column, rows.schema.field(column), pa.array(range(rows.num_rows)))
