import logging
import time
import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.data_config import LogConfig
from recsparse.datasets.log import LogSource
from recsparse.errors import InputError, SchemaError

SECONDS = 1_767_225_600
LOGGER = "recsparse.datasets.log"


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = len(next(iter(columns.values())))
    ids = {"user_id": np.arange(size), "item_id": np.zeros(size, np.int64)}
    pq.write_table(pa.table({**ids, **columns}), path)
    return path


def batches(path, batch_rows=1_048_576, **settings):
    return list(LogSource.open(path, LogConfig(**settings)).batches(batch_rows))


def good(path, **settings):
    return pa.concat_tables([batch.good for batch in batches(path, **settings)])


# Events


def test_a_missing_event_column_is_told_with_the_nearest(tmp_path):
    path = write(tmp_path / "log.parquet", events=["view"])
    message = "must have the column 'event', but it has .*; the nearest known is 'events'"
    with pytest.raises(SchemaError, match=message):
        LogSource.open(path, LogConfig(event_weights={"view": 1}))


def test_events_of_every_file_are_weighed_as_pandas_does(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, 9, 90),
            "item_id": rng.integers(0, 9, 90),
            "event": rng.choice(["view", "cart", "purchase", "hover", None], 90),
            "rating": rng.integers(1, 6, 90),
        }
    )
    for number, part in enumerate(np.split(np.arange(90), 3)):
        frame.iloc[part].to_parquet(tmp_path / f"{number}.parquet", index=False)
    weights = {"view": 1.0, "cart": 3.0, "purchase": 10.0}
    found = batches(tmp_path, 7, event_weights=weights, min_rating=3)
    expected = frame.assign(weight=frame.event.map(weights)).dropna(subset="weight")
    liked = expected[expected.rating >= 3]
    table = pa.concat_tables([batch.good for batch in found])
    for name in ("user_id", "item_id", "weight"):
        assert table[name].to_pylist() == liked[name].tolist()
    assert sum(batch.other_events for batch in found) == 90 - len(expected)
    assert sum(batch.below_min_rating for batch in found) == len(expected) - len(liked)


def test_events_of_a_partition_key_have_weights(tmp_path):
    for event in ("view", "purchase", "hover"):
        write(tmp_path / f"event={event}" / "log.parquet", user_id=[len(event)])
    found = good(tmp_path, event_weights={"view": 1, "purchase": 10})
    weights = dict(zip(found["user_id"].to_pylist(), found["weight"].to_pylist(), strict=True))
    assert weights == {4: 1.0, 8: 10.0}


def test_files_that_disagree_on_the_type_of_ids_are_both_named(tmp_path):
    write(tmp_path / "0.parquet", item_id=[1])
    write(tmp_path / "1.parquet", item_id=[1.0])
    with pytest.raises(
        SchemaError, match=r"'item_id' .* int64 in .*0\.parquet and double in .*1\.p"
    ):
        LogSource.open(tmp_path, LogConfig())


# Units of time


@pytest.mark.parametrize("per_second", [10**3, 10**6, 10**9])
@pytest.mark.parametrize("where", [None, "user_id >= 0"])
def test_another_unit_than_seconds_is_warned_of_once_a_log(tmp_path, caplog, per_second, where):
    for number in range(3):
        write(tmp_path / f"{number}.parquet", when=np.arange(4) + SECONDS * per_second)
    with caplog.at_level(logging.WARNING, LOGGER):
        batches(tmp_path, 2, timestamp_column="when", where=where)
    (record,) = caplog.records
    assert f"the column 'when' of {tmp_path} is read as seconds" in record.message
    assert f"divide them by {per_second} " in record.message


@pytest.mark.parametrize(
    "times",
    [
        pa.array([SECONDS, None]),
        pa.array([SECONDS + 0.5, np.nan]),
        pa.array([0, 4_102_444_799]),
        pa.array([SECONDS * 1000, None], pa.timestamp("ms")),
        pa.array([10**10, None], pa.timestamp("s")),
        pa.array(["2026-01-01", "9999-12-31"]),
        pa.array([2**31 - 1, None], pa.date32()),
        pa.nulls(2),
    ],
    ids=lambda times: str(times.type),
)
def test_times_that_can_be_meant_are_not_warned_of(tmp_path, caplog, times):
    with caplog.at_level(logging.WARNING, LOGGER):
        batches(write(tmp_path / "log.parquet", timestamp=times))
        batches(write(tmp_path / "log.parquet", user_id=[1]))
    assert caplog.records == []


# Batches


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
    monkeypatch.setattr("recsparse.datasets.log._MOST_BYTES", 100_000)
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
    for module in ("parquet", "where"):
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


# What the number of rows is known from


def test_the_number_of_rows_is_known_without_reading_unless_they_are_filtered(tmp_path):
    path = write(tmp_path / "log.parquet", user_id=[1, 2, 3])
    assert LogSource.open(path, LogConfig()).num_rows == 3
    assert LogSource.open(path, LogConfig(where="user_id > 1")).num_rows is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.int32(), pa.decimal128(9, 0)])
def test_the_types_of_ids_are_known_before_reading(tmp_path, kind):
    ids = pa.array(["1"]).cast(kind) if "string" in str(kind) else pa.array([1]).cast(pa.int32())
    source = LogSource.open(write(tmp_path / "log.parquet", user_id=ids), LogConfig())
    assert source.user_type == (pa.string() if "string" in str(kind) else pa.int64())
    assert source.item_type == pa.int64()


def test_only_columns_that_are_needed_are_read(tmp_path):
    path = write(tmp_path / "log.parquet", user_id=[1], rating=[5], text=["long"], part=["train"])
    source = LogSource.open(path, LogConfig(), ["part"])
    assert set(source.columns) == {"user_id", "item_id", "part", "rating"}
    assert isinstance(source.dataset, ds.Dataset)


def test_strict_refuses_the_first_batch_with_a_bad_row(tmp_path):
    write(tmp_path / "0.parquet", weight=[1.0, 1.0])
    write(tmp_path / "1.parquet", weight=[1.0, -1.0])
    reading = LogSource.open(tmp_path, LogConfig(strict=True)).batches(2)
    assert next(reading).rows_read == 2
    with pytest.raises(InputError, match=r"of 2 rows 1 are not \(weight is negative: 1\); the fir"):
        next(reading)
