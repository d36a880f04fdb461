"""A time from which on rows are evaluated."""

import numpy as np
import pyarrow as pa
from typing_extensions import override

from recsparse.config.data import SplitConfig
from recsparse.config.section import in_utc
from recsparse.datasets.building.clean import CleanRows
from recsparse.datasets.building.seeded_order import Keys
from recsparse.datasets.building.splits.split import Assign, Split
from recsparse.datasets.indexed_rows import Rows
from recsparse.datasets.parts import TEST, TRAIN, VALIDATION
from recsparse.datasets.workspace import Workspace


class GlobalTime(Split):
    """Rows from a time on for test, those of a stretch before it for validation.

    By shares, the time is the latest from which on there are that many rows; rows of the same
    second stay together.
    """

    needs_times = True
    spares_short_users = False

    @override
    def assign(self, rows: CleanRows, keys: Keys, work: Workspace) -> Assign:
        return _by_time(*_boundaries(rows, self.config, work))


def _by_time(validation_from: float, test_from: float) -> Assign:
    def parts(rows: Rows) -> np.ndarray:
        later = np.where(rows.timestamp >= test_from, TEST, VALIDATION)
        return np.where(rows.timestamp >= validation_from, later, TRAIN)

    return parts


def _boundaries(rows: CleanRows, config: SplitConfig, work: Workspace) -> tuple[float, float]:
    if config.validation_from is not None and config.test_from is not None:
        first, second = (in_utc(time) for time in (config.validation_from, config.test_from))
        return first.timestamp(), second.timestamp()
    work.database.execute("CREATE OR REPLACE TABLE seconds (timestamp BIGINT, num_rows BIGINT)")
    for block in rows.blocks():
        times, counts = np.unique(block.timestamp, return_counts=True)
        work.database.register("incoming", pa.table({"timestamp": times, "num_rows": counts}))
        work.database.execute("INSERT INTO seconds SELECT * FROM incoming")
    num_test = round(rows.num_rows * config.test)
    num_later = num_test + round(rows.num_rows * config.validation)
    return _latest_before(num_later, work), _latest_before(num_test, work)


def _latest_before(num_rows: int, work: Workspace) -> float:
    """Return the latest time from which on there are that many rows."""
    found = work.database.execute(
        """SELECT max(timestamp) FROM (
            SELECT timestamp, sum(sum(num_rows)) OVER (ORDER BY timestamp DESC) AS from_here
            FROM seconds GROUP BY timestamp
        ) WHERE from_here >= ?""",
        [max(num_rows, 1)],
    ).fetchall()
    return float(found[0][0])
