import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsparse.datasets.building import bucket_sort, row_groups
from recsparse.datasets.reading.log_source import LogSource
from recsparse.datasets.workspace import Resources
from recsparse.errors import InputError
from tests.logs import DUPLICATES, SPLIT_SETTINGS, log_of, logs
from tests.prepared import contents, prepared_files

# The logs here are of the first three weeks.
SPLITS = SPLIT_SETTINGS | {
    "time_window": [
        "split.kind=time_window", "split.validation_from='1970-01-11'",
        "split.test_from='1970-01-16'", "split.test_until='1970-01-22'",
    ]
}  # fmt: skip


def write_shuffled(table, folder, seed, num_files):
    """Write a log in another order of rows, in several files whose order is another too."""
    rng = np.random.default_rng(seed)
    table = table.take(pa.array(rng.permutation(len(table))))
    cuts = [0, *sorted(rng.integers(0, len(table) + 1, num_files - 1)), len(table)]
    folder.mkdir()
    paths = [folder / f"{name}.parquet" for name in rng.permutation(num_files)]
    for path, start, end in zip(paths, cuts[:-1], cuts[1:], strict=True):
        pq.write_table(table[int(start) : int(end)], path)
    return [paths[place] for place in rng.permutation(num_files)]


@pytest.mark.parametrize("kind", SPLITS)
@settings(max_examples=5)
@given(
    logs(20, 50), st.sampled_from(list(DUPLICATES)), st.integers(0, 99), st.integers(1, 4),
    st.integers(1, 2),
)  # fmt: skip
def test_the_same_rows_are_the_same_bytes(
    tmp_path_factory, kind, frame, duplicates, seed, num_files, threads
):
    folder, overrides = (
        tmp_path_factory.mktemp("same"),
        SPLITS[kind] + DUPLICATES[duplicates],
    )
    # Few times, so that many rows agree in user, item and time.
    table = log_of(frame.assign(time=frame["time"] // 86_400 % 3 * 864_000))
    pq.write_table(table, folder / "log.parquet")
    try:
        prepared_files(folder / "log.parquet", folder / "one", overrides)
    except InputError:
        assume(False)
    paths = write_shuffled(table, folder / "logs", seed, num_files)
    prepared_files(paths, folder / "other", overrides, Resources("50MB", threads))
    assert contents(folder / "one") == contents(folder / "other")


def long_log(strings, size=6_000, seed=0):
    """Return rows that repeat, with weights of all magnitudes, some of them to be rejected."""
    rng = np.random.default_rng(seed)
    users, items = rng.zipf(1.3, size) % 400, rng.zipf(1.2, size) % 150
    ids = [
        pa.array([f"ü{value * 7919 % 1000}" for value in column]) if strings else pa.array(column)
        for column in (users, items)
    ]
    return pa.table(
        {
            "user_id": ids[0],
            "item_id": ids[1],
            "timestamp": rng.integers(0, 500, size) * 3_600,
            "rating": rng.integers(1, 6, size).astype(np.float32),
            "weight": np.where(rng.random(size) < 0.03, -1, rng.lognormal(0, 3, size)),
            "part": rng.choice(["train", "test"], size, p=[0.8, 0.2]),
        }
    )


@pytest.fixture
def small_pieces(monkeypatch):
    """Let users and row groups cross blocks, and users cross batches."""
    whole = LogSource.batches
    monkeypatch.setattr(bucket_sort, "BLOCK_ROWS", 500)
    monkeypatch.setattr(row_groups, "ROWS", 50)
    return lambda rows: monkeypatch.setattr(LogSource, "batches", lambda self: whole(self, rows))


@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("strings", [False, True], ids=["integers", "strings"])
def test_many_rows_are_the_same_bytes_with_any_resources(tmp_path, small_pieces, kind, strings):
    table = long_log(strings)
    overrides = [*SPLITS[kind], "log.duplicates=sum", "log.min_user_rows=3"]
    made = []
    for number, (rows, files, resources) in enumerate(
        [
            (1_000_000, 1, Resources()),
            (97, 3, Resources("10MB", 1)),
            (1_001, 4, Resources("1GB", 2, tmp_path / "spill")),
        ]
    ):
        small_pieces(rows)
        paths = write_shuffled(table, tmp_path / f"logs {number}", number, files)
        prepared_files(paths, tmp_path / str(number), overrides, resources)
        made.append(contents(tmp_path / str(number)))
    assert made[0] == made[1] == made[2]


def texts(keys, seed):
    """Return a few words each."""
    words = np.array([f"wört{number}" for number in range(60)])
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(words, 1 + key % 4)) for key in keys]


@pytest.mark.parametrize("order", ["text", "bisection", "spectral"])
def test_texts_features_and_orders_are_the_same_bytes_too(tmp_path, small_pieces, order):
    table = long_log(strings=False, size=2_000)
    table = table.append_column("review", pa.array(texts(table["item_id"].to_pylist(), 0)))
    items = pa.table({"item_id": range(150), "title": texts(range(150), 1), "price": range(150)})
    overrides = [
        "text.log_columns=['review']", "features.numbers=['price']", f"order.kind={order}",
        "text.columns=['title']",
    ]  # fmt: skip
    made = []
    for number, (rows, resources) in enumerate([(10**6, Resources()), (97, Resources("50MB", 1))]):
        small_pieces(rows)
        paths = write_shuffled(table, tmp_path / f"logs {number}", number, 3)
        (tables,) = write_shuffled(items, tmp_path / f"items {number}", number, 1)
        prepared_files(paths, tmp_path / str(number), overrides, resources, items=tables)
        made.append(contents(tmp_path / str(number)))
    assert {"item_bags.parquet", "user_reviews_bags.parquet"} <= set(made[0])
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []


def test_the_size_of_blocks_changes_no_row(tmp_path, small_pieces, monkeypatch):
    pq.write_table(long_log(strings=True), tmp_path / "log.parquet")
    small_pieces(1_000)
    found = []
    for number, rows in enumerate((100, 1_000, 100_000)):
        monkeypatch.setattr(bucket_sort, "BLOCK_ROWS", rows)
        data = prepared_files(tmp_path / "log.parquet", tmp_path / str(number))
        found.append([table.combine_chunks() for table in data.split.all])
        assert (data.split.train.column(0).num_chunks > 1) == (rows < 100_000)
    assert found[0] == found[1] == found[2]


def test_a_log_larger_than_the_memory_spills(tmp_path):
    size = 400_000
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "user_id": rng.integers(0, 20_000, size),
            "item_id": rng.integers(0, 5_000, size),
            "timestamp": rng.integers(0, 10**6, size),
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    for name, memory in (("small", "20MB"), ("large", "1GB")):
        prepared_files(tmp_path / "log.parquet", tmp_path / name, (), Resources(memory, 1))
    assert contents(tmp_path / "small") == contents(tmp_path / "large")
