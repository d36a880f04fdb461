"""LogTimes: when the rows of a log are, before it is cut into windows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsparse.config.data import LogConfig
from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.datasets.reading.find_files import Paths
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.schema import TIMESTAMP
from recsparse.errors import InputError
from recsparse.reporting.progress import Reporter


@dataclass(frozen=True, eq=False)
class LogTimes:
    """The times of a log's rows; 16 bytes for each second that has any.

    Attributes:
        seconds: int64, those since 1970 (UTC) that have rows, sorted.
        before: Rows before each of them, and at the end the number of all.
    """

    seconds: NDArray[np.int64]
    before: NDArray[np.int64]

    @property
    def first(self) -> int:
        """The time of the first row."""
        return int(self.seconds[0])

    @property
    def last(self) -> int:
        """The time of the last row."""
        return int(self.seconds[-1])

    def rows_between(self, start: int, end: int) -> int:
        """Count rows.

        Args:
            start: From this time on.
            end: Before this time.

        Returns:
            The number of rows.
        """
        low, high = np.searchsorted(self.seconds, [start, end])
        return int(self.before[max(low, high)] - self.before[low])


def log_times(logs: Paths, config: LogConfig, reporter: Reporter) -> LogTimes:
    """Read the times of all rows that a dataset would be made of.

    Args:
        logs: Files, folders, globs or addresses.
        config: How to read them.
        reporter: Shows the progress.

    Returns:
        The times.

    Raises:
        InputError: If there is no row, or one without a time.
    """
    source = LogSource.open(logs, config)
    seconds, counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    done = 0
    with reporter.task("looking through the times of the log", source.num_rows) as advance:
        for batch in source.batches():
            times = batch.good[TIMESTAMP].fill_null(NO_TIME).to_numpy()
            own, number = np.unique(times, return_counts=True)
            merged, place = np.unique(np.concatenate([seconds, own]), return_inverse=True)
            counts = np.bincount(place, np.concatenate([counts, number]), len(merged)).astype(
                np.int64
            )
            seconds = merged
            advance(done := done + batch.rows_read)
    if len(seconds) == 0:
        raise InputError(f"a backtest needs rows, but {source.where} has no good one")
    if seconds[0] == NO_TIME:
        raise InputError(
            f"windows of time need a time for every row, but {counts[0]:,} of {counts.sum():,} in "
            f"{source.where} have none; name the column by log.timestamp_column, or take random "
            "folds in their place by --folds"
        )
    return LogTimes(seconds, np.concatenate([[0], np.cumsum(counts)]))
