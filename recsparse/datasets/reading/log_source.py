"""Logs: files become checked interactions, batch by batch; doubtful rows are set aside."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.dataset as ds

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.condition import Condition
from recsparse.datasets.reading.find_files import Paths, named
from recsparse.datasets.reading.log_files import (
    NO_OTHERS,
    OtherIds,
    columns_to_read,
    has_text_files,
    nulls_of_text,
    open_log,
)
from recsparse.datasets.reading.merged_batches import merged
from recsparse.datasets.reading.row_checks import CheckedBatch, check_rows
from recsparse.datasets.reading.tables import read_batches
from recsparse.datasets.reading.time_units import number_unit
from recsparse.datasets.reading.timestamps import NumberUnit, TimeCounts, unit_problem
from recsparse.datasets.schema import ID_KINDS, id_type
from recsparse.errors import InputError

logger = logging.getLogger(__name__)

# Rows that are read at once; of ids of 10 KB they stay below the 2 GB that Arrow's strings hold.
_READ_ROWS = 131_072
_MOST_BYTES = 2**28
# The share of times that may be odd; more of them are of another unit than seconds.
_MOST_ODD_TIMES = 0.01


@dataclass(frozen=True, eq=False)
class LogSource:
    """An opened log, of which nothing but the schema has been read.

    Attributes:
        where: The paths, for messages.
        config: How to read it.
        dataset: The rows.
        columns: Those that are read.
        extra: Those of them that are kept as well as the canonical ones.
        unit: What numbers in the time column count.
    """

    where: str
    config: LogConfig
    dataset: ds.Dataset
    columns: tuple[str, ...]
    extra: tuple[str, ...]
    unit: NumberUnit = "auto"

    @classmethod
    def open(
        cls,
        paths: Paths,
        config: LogConfig,
        extra: Sequence[str] = (),
        others: OtherIds = NO_OTHERS,
    ) -> "LogSource":
        """Open a log and check that it has the columns that are needed.

        Args:
            paths: One or several files or folders.
            config: Names of the columns, and what to do with doubtful rows.
            extra: Further columns to keep, as strings.
            others: Ids that those of the log are to fit.

        Returns:
            The log.

        Raises:
            MissingFileError: If there is nothing at a path.
            SchemaError: If a column is missing or of a wrong type, or users and items are one.
            InputError: If a file cannot be read, or the condition `where` is none.
        """
        dataset = open_log(paths, config, extra, others)
        where = named(paths)
        columns = columns_to_read(dataset, where, config, extra)
        check_rows(dataset.schema.empty_table(), config, extra)  # refuses wrong types
        unit = number_unit(dataset, config.timestamp_column, config.timestamp_unit)
        source = cls(where, config, dataset, columns, tuple(extra), unit)
        if source.condition is None:
            return source
        try:
            _check_condition(source, source.condition)
        except InputError:
            # Text can be compared with numbers for being equal alone; digits may be meant as both.
            numbers = _with_numbers_as_keys(source, paths, others)
            if numbers is None:
                raise
            return numbers
        return source

    @property
    def condition(self) -> Condition | None:
        """What must hold for a row to be read."""
        where = self.config.where
        if where is None:
            return None
        return Condition(where, self.config.timestamp_column, self.unit)

    @property
    def user_type(self) -> pa.DataType:
        """Type of the user ids, int64 or string."""
        return self._id_type(self.config.user_column)

    @property
    def item_type(self) -> pa.DataType:
        """Type of the item ids, int64 or string."""
        return self._id_type(self.config.item_column)

    def _id_type(self, name: str) -> pa.DataType:
        return ID_KINDS[self.config.id_type] or id_type(self.dataset.schema.field(name).type)

    @property
    def num_rows(self) -> int | None:
        """Rows of the files, None where only reading tells how many are wanted."""
        return None if self.config.where is not None else self.dataset.count_rows()

    def batches(self, batch_rows: int = 1_048_576) -> Iterator[CheckedBatch]:
        """Read and check the log.

        Args:
            batch_rows: Rows of a batch, at most.

        Yields:
            Checked rows; files in their order unless rows are filtered.

        Raises:
            InputError: If a file is damaged, rows are bad and `strict` is set, or more than a few
                of the times can be seconds by mistake only, which takes all rows to know.
        """
        times, time_column = TimeCounts(), self.config.timestamp_column
        has_text = has_text_files(self.dataset)
        for rows in merged(self._raw_batches(), batch_rows, _MOST_BYTES):
            read = nulls_of_text(rows, time_column) if has_text else rows
            checked = check_rows(read, self.config, self.extra, self.unit)
            times = times.plus(checked.times)
            if self.config.strict and checked.rejected.num_rows:
                raise self._not_strict(checked)
            yield checked
        if times.implausible:
            self._judge(times)

    def _raw_batches(self) -> Iterator[pa.RecordBatch]:
        if self.condition is None:
            return read_batches(self.dataset, self.columns, _READ_ROWS)
        # Imported here, since DuckDB takes a tenth of a second, as is what checks the condition.
        from recsparse.datasets.reading.row_filter import filtered_batches

        return filtered_batches(self.dataset, self.columns, self.condition, _READ_ROWS)

    def _judge(self, times: TimeCounts) -> None:
        # A wrong unit is refused; a few odd times, which are set aside, are warned of.
        name = f"the column {self.config.timestamp_column!r} of {self.where}"
        problem = unit_problem(times.farthest, name)
        share = f"{times.implausible} of {times.known} times are before 1970 or after 2099"
        few = max(1, int(_MOST_ODD_TIMES * times.known))
        if times.implausible > few or times.implausible == times.known:
            raise InputError(f"{problem}; {share}")
        logger.warning("%s; %s and set aside", problem, share)

    def _not_strict(self, checked: CheckedBatch) -> InputError:
        return InputError(
            f"with strict, every row of {self.where} must be good, but of {checked.rows_read} rows "
            f"{checked.rejected.num_rows} are not ({listed(checked.reasons)}); the first is "
            f"{checked.rejected.slice(0, 1).to_pylist()[0]}; mend them, or set them aside without "
            "strict"
        )


def _check_condition(source: LogSource, condition: Condition) -> None:
    from recsparse.datasets.reading.row_filter import check_condition

    check_condition(source.dataset.schema, source.columns, condition)


def _with_numbers_as_keys(source: LogSource, paths: Paths, others: OtherIds) -> LogSource | None:
    """Return a log whose partition keys are integers, if its condition can be evaluated so."""
    try:
        dataset = open_log(paths, source.config, source.extra, others, keys_are_numbers=True)
        found = replace(source, dataset=dataset)
        if dataset.schema == source.dataset.schema or found.condition is None:
            return None
        _check_condition(found, found.condition)
    except InputError:
        return None
    return found


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
