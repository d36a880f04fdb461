"""Batches of a log, and how many are alive at a time."""

import time
import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.log_source import LogSource
from tests.datasets.reading.log_files import batches, write


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(1, 8))
def test_batches_are_full_whatever_the_files(tmp_path_factory, sizes, batch_rows):
    folder, total = tmp_path_factory.mktemp("log"), sum(sizes)
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        write(folder / f"{number}.parquet", user_id=np.arange(start, start + size))
    found = batches(folder, batch_rows)
    users = [batch.good["user_id"].to_pylist() for batch in found]
    assert [user for part in users for user in part] == list(range(total))
    assert all(0 < len(part) <= batch_rows for part in users)
    # A batch is handed on only where the next piece has no room in it.
    longest = max(sizes)
    assert all(len(part) > batch_rows - longest for part in users[:-1])


def test_batches_of_long_ids_are_handed_on_before_they_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("recsparse.datasets.reading.log_source._MOST_BYTES", 100_000)
    for number in range(6):
        write(tmp_path / f"{number}.parquet", user_id=[str(number) * 10_000] * 4)
    found = batches(tmp_path)
    assert [batch.rows_read for batch in found] == [8, 8, 8]
    assert found[0].good["user_id"].to_pylist() == ["0" * 10_000] * 4 + ["1" * 10_000] * 4


LAYOUTS = {"many files": (40, 2_000), "one row group": (1, 80_000)}


@pytest.mark.parametrize("where", [None, "item_id >= 0"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_few_batches_are_alive_at_a_time(tmp_path, layout, where):
    files, rows = LAYOUTS[layout]
    for number in range(files):
        write(tmp_path / f"{number:02}.parquet", user_id=np.arange(rows))
    alive, seen = [], 0
    for batch in LogSource.open(tmp_path, LogConfig(where=where)).batches(4_000):
        alive = [other for other in alive if other() is not None]
        alive.append(weakref.ref(batch))
        assert len(alive) <= 2
        seen += batch.rows_read
    assert seen == 80_000


@pytest.mark.parametrize("where", [None, "item_id >= 0"])
@pytest.mark.parametrize("num_files", [1, 50])
def test_reading_does_not_run_ahead_of_a_slow_use(tmp_path, monkeypatch, where, num_files):
    for module in ("reading.tables", "reading.row_filter"):
        monkeypatch.setattr(f"recsparse.datasets.{module}._PIECE_ROWS", 100_000)
    rng, rows = np.random.default_rng(0), 1_000_000 // num_files
    for number in range(num_files):
        # Random, so that the file is no smaller than the rows.
        table = pa.table({"user_id": rng.integers(0, 2**62, rows), "item_id": np.arange(rows)})
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=20_000)
    before, peak = pa.total_allocated_bytes(), 0
    for _ in LogSource.open(tmp_path, LogConfig(where=where)).batches(50_000):
        peak = max(peak, pa.total_allocated_bytes() - before)
        time.sleep(0.02)
    # A piece takes 1.6 MB, and as much again as a batch that is made of it; all rows are 16 MB.
    assert peak < 8_000_000
