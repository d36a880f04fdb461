"""Logs: files become checked interactions, batch by batch; doubtful rows are set aside."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.dataset as ds

from recsparse.data_config import LogConfig
from recsparse.datasets.building.duplicates import table_without_duplicates
from recsparse.datasets.checks import CheckedBatch, check_rows
from recsparse.datasets.files import Paths, named
from recsparse.datasets.parquet import open_dataset, read_batches, require_columns
from recsparse.datasets.schema import TIMESTAMP, id_type
from recsparse.datasets.timestamps import unit_warning
from recsparse.datasets.where import check_condition, filtered_batches
from recsparse.errors import InputError, SchemaError

logger = logging.getLogger(__name__)

# Rows that are read at once; of ids of 10 KB they stay below the 2 GB that Arrow's strings hold.
_READ_ROWS = 131_072
_MOST_BYTES = 2**28


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


@dataclass(frozen=True, eq=False)
class LogSource:
    """An opened log, of which nothing but the schema has been read.

    Attributes:
        where: The paths, for messages.
        config: How to read it.
        dataset: The rows.
        columns: Those that are read.
        extra: Those of them that are kept beside the canonical ones.
    """

    where: str
    config: LogConfig
    dataset: ds.Dataset
    columns: tuple[str, ...]
    extra: tuple[str, ...]

    @classmethod
    def open(cls, paths: Paths, config: LogConfig, extra: Sequence[str] = ()) -> "LogSource":
        """Open a log and check that it has the columns that are needed.

        Args:
            paths: One or several files or folders.
            config: Names of the columns, and what to do with doubtful rows.
            extra: Further columns to keep, as strings.

        Returns:
            The log.

        Raises:
            MissingFileError: If there is nothing at a path.
            SchemaError: If a column is missing or of a wrong type, or users and items are one.
            InputError: If a file cannot be read, or the condition `where` is none.
        """
        dataset = open_dataset(paths, ids=(config.user_column, config.item_column))
        where = named(paths)
        if config.user_column == config.item_column:
            raise SchemaError(
                f"users and items must be two columns, but both are {config.user_column!r}; set "
                "log.user_column and log.item_column"
            )
        required = [config.user_column, config.item_column, *extra]
        if config.min_rating is not None:
            required.append(config.rating_column)
        if config.event_weights:
            required.append(config.event_column)
        require_columns(dataset, where, required)
        optional = [config.weight_column, config.timestamp_column, config.rating_column]
        there = [name for name in optional if name in dataset.schema.names]
        columns = tuple(dict.fromkeys([*required, *there]))
        source = cls(where, config, dataset, columns, tuple(extra))
        check_rows(dataset.schema.empty_table(), config, source.extra)  # refuses wrong types
        if config.where is not None:
            check_condition(dataset.schema, columns, config.where, config.timestamp_column)
        return source

    @property
    def user_type(self) -> pa.DataType:
        """Type of the user ids, int64 or string."""
        return id_type(self.dataset.schema.field(self.config.user_column).type)

    @property
    def item_type(self) -> pa.DataType:
        """Type of the item ids, int64 or string."""
        return id_type(self.dataset.schema.field(self.config.item_column).type)

    @property
    def num_rows(self) -> int | None:
        """Rows of the files, None where only reading tells how many are wanted."""
        return None if self.config.where is not None else self.dataset.count_rows()

    def batches(self, batch_rows: int = 1_048_576) -> Iterator[CheckedBatch]:
        """Read and check the log.

        Args:
            batch_rows: Rows of a batch, at most.

        Times that can only be seconds by mistake are warned of, once.

        Yields:
            Checked rows; files in their order unless rows are filtered.

        Raises:
            InputError: If a file is damaged, or rows are bad and `strict` is set.
        """
        warned = False
        for rows in _merged(self._raw_batches(), batch_rows):
            checked = check_rows(rows, self.config, self.extra)
            if self.config.strict and checked.rejected.num_rows:
                raise self._not_strict(checked)
            if not warned and (warning := self._warning(checked)):
                logger.warning(warning)
                warned = True
            yield checked

    def _raw_batches(self) -> Iterator[pa.RecordBatch]:
        where, time_column = self.config.where, self.config.timestamp_column
        if where is None:
            return read_batches(self.dataset, self.columns, _READ_ROWS)
        return filtered_batches(self.dataset, self.columns, where, time_column, _READ_ROWS)

    def _warning(self, checked: CheckedBatch) -> str | None:
        name = self.config.timestamp_column
        if name not in self.columns:
            return None
        kind = self.dataset.schema.field(name).type
        return unit_warning(checked.good[TIMESTAMP], kind, f"the column {name!r} of {self.where}")

    def _not_strict(self, checked: CheckedBatch) -> InputError:
        return InputError(
            f"with strict, every row of {self.where} must be good, but of {checked.rows_read} rows "
            f"{checked.rejected.num_rows} are not ({listed(checked.reasons)}); the first is "
            f"{checked.rejected.slice(0, 1).to_pylist()[0]}; mend them, or set them aside without "
            "strict"
        )


def _merged(batches: Iterable[pa.RecordBatch], most_rows: int) -> Iterator[pa.Table]:
    """Yield many small batches as few large ones, since each costs its own look-ups of ids."""
    parts: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        for part in _slices(batch, most_rows):
            if parts and (rows + part.num_rows > most_rows or size + part.nbytes > _MOST_BYTES):
                yield pa.Table.from_batches(parts)
                parts, rows, size = [], 0, 0
            parts.append(part)
            rows, size = rows + part.num_rows, size + part.nbytes
    if parts:
        yield pa.Table.from_batches(parts)


def _slices(batch: pa.RecordBatch, most_rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, most_rows):
        yield batch.slice(start, most_rows)


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
    def read(cls, paths: Paths, config: LogConfig, in_order: bool = False) -> "InteractionLog":
        """Read, check and clean a log.

        Args:
            paths: One or several files or folders.
            config: Names of the columns, and what to do with doubtful rows.
            in_order: Where no row has a time, its place in the log stands for it, so that later
                rows are later; such times have no age.

        Returns:
            The log, its rows in the order of the files unless they are filtered.

        Raises:
            InputError: If no row is left.
        """
        source = LogSource.open(paths, config)
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


def listed(counts: dict[str, int]) -> str:
    """Return counts as a phrase.

    Args:
        counts: Names and numbers.

    Returns:
        Those that are not 0.

    Example:
        >>> listed({"user id is null": 2, "weight is negative": 0})
        'user id is null: 2'
    """
    return ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
