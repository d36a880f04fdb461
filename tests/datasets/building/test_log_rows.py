from itertools import groupby

import pandas as pd
import pytest

from recsparse.config.data import LogConfig
from recsparse.datasets.building.log_rows import LogRows
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.workspace import Resources, workspace

LOG = pd.DataFrame(
    {
        "user_id": ["b", "a", "b", "a", None],
        "item_id": ["x", "y", "x", "x", "x"],
        "timestamp": [30, 20, 10, 5, 1],
    }
)


@pytest.fixture
def work(tmp_path):
    with workspace(Resources(), tmp_path / "out") as work:
        yield work


@pytest.fixture
def log_rows(tmp_path, work):
    """Write a log, and read its rows."""

    def log_rows(frame, advance=lambda rows: None):
        frame.to_parquet(tmp_path / "log.parquet")
        return LogRows(LogSource.open(tmp_path / "log.parquet", LogConfig()), work, advance)

    return log_rows


def test_the_good_rows_come_by_user_and_time_with_their_duplicates(log_rows):
    found = log_rows(LOG).sorted()
    assert (found.num_users, found.num_items) == (2, 2)
    found_rows = [
        pair
        for block in found.blocks
        for pair in zip(block.user.tolist(), block.timestamp.tolist(), strict=True)
    ]
    by_user = groupby(found_rows, key=lambda pair: pair[0])
    times = [[time for _, time in pairs] for _, pairs in by_user]
    assert sorted(times) == [[5, 20], [10, 30]]


def test_what_is_set_aside_is_counted_and_the_progress_is_told(log_rows):
    seen = []
    counts = log_rows(LOG, seen.append).counts
    assert (counts.rows_read, counts.rejected_rows, counts.kept) == (5, 1, 4)
    assert seen[-1] == 5


def test_of_no_good_row_there_is_no_block(log_rows):
    found = log_rows(LOG[4:]).sorted()
    assert (found.num_users, found.num_items, list(found.blocks)) == (0, 0, [])
