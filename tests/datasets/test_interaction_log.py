import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.data import LogConfig
from recsparse.datasets.interaction_log import InteractionLog, LogCounts
from recsparse.datasets.schema import interactions_schema

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "user_id": RNG.integers(0, 9, 60),
        "item_id": [f"item {number}" for number in RNG.integers(0, 9, 60)],
        "timestamp": RNG.integers(0, 10**9, 60),
        "weight": RNG.random(60).astype(np.float32),
        "rating": RNG.integers(1, 6, 60),
        "day": np.repeat(["mon", "tue", "wed"], 20),
    }
)
CANONICAL = ["user_id", "item_id", "weight", "timestamp", "rating"]
KEEP = LogConfig(duplicates="keep")


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def read(path, config=KEEP, **columns):
    return InteractionLog.read(write(path / "log.parquet", **columns), config)


def write_layout(folder, layout):
    if layout == "hive":
        FRAME.to_parquet(folder, partition_cols=["day"])
        return folder
    if layout == "file":
        FRAME.to_parquet(folder / "log.parquet")
        return folder / "log.parquet"
    paths = [folder / f"{number}.parquet" for number in range(3)]
    for path, part in zip(paths, np.split(np.arange(60), 3), strict=True):
        FRAME.iloc[part].to_parquet(path, index=False)
    return folder if layout == "folder" else [str(path) for path in paths]


@pytest.mark.parametrize("layout", ["file", "folder", "hive", "paths"])
def test_every_layout_of_files_is_read_in_their_order(tmp_path, layout):
    log = InteractionLog.read(write_layout(tmp_path, layout), KEEP)
    assert log.table.schema == interactions_schema(pa.int64(), pa.string())
    assert log.table.to_pandas().to_dict("list") == FRAME[CANONICAL].to_dict("list")
    assert log.rejected.num_rows == 0
    repeated = int(FRAME.duplicated(["user_id", "item_id"]).sum())
    assert log.counts == LogCounts(rows_read=60, duplicates=repeated, rows_kept=60)


def test_a_partition_key_can_be_one_of_our_columns(tmp_path):
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "weight": [5, 6]})
    frame.to_parquet(tmp_path, partition_cols=["weight"])
    assert InteractionLog.read(tmp_path, KEEP).table["weight"].to_pylist() == [5.0, 6.0]


def test_a_column_that_only_a_later_file_has_is_not_lost(tmp_path):
    paths = [
        write(tmp_path / "0.parquet", user_id=[1], item_id=[1]),
        write(tmp_path / "1.parquet", user_id=[2], item_id=[1], timestamp=[7], rating=[4]),
    ]
    table = InteractionLog.read(paths, KEEP).table
    assert table["timestamp"].to_pylist() == [None, 7]
    assert table["rating"].to_pylist() == [None, 4.0]


STRINGS = ["b", " b", "日本", "e\u0301", "é"]


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (pa.array([3, 1, 2], pa.int8()), pa.int64()),
        (pa.array([2**63 - 1, 0], pa.uint64()), pa.int64()),
        (pa.array([-(2**63), 2**62]), pa.int64()),
        (pa.array([7, 5, 7]).dictionary_encode(), pa.int64()),
        (pa.array(STRINGS), pa.string()),
        (pa.array(STRINGS, pa.large_string()), pa.string()),
        (pa.array(STRINGS, pa.string_view()), pa.string()),
        (pa.array(STRINGS).dictionary_encode(), pa.string()),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_ids_keep_their_values_in_one_of_two_types(tmp_path, column, kept):
    log = read(tmp_path, user_id=column, item_id=column)
    for name in ("user_id", "item_id"):
        assert log.table[name].type == kept
        assert log.table[name].to_pylist() == column.to_pylist()


def test_what_a_log_lacks_is_one_or_unknown(tmp_path):
    log = read(tmp_path, user_id=[1, 2], item_id=[3, 4])
    assert log.table.to_pydict() == {
        "user_id": [1, 2], "item_id": [3, 4], "weight": [1.0, 1.0],
        "timestamp": [None, None], "rating": [None, None],
    }  # fmt: skip


def test_times_of_any_type_are_seconds(tmp_path):
    noon = pd.Timestamp("2020-01-01 12:00:00.9", tz="Asia/Tokyo")
    expected = int(pd.Timestamp("2020-01-01 03:00", tz="UTC").timestamp())
    for column in (
        pa.array([noon], pa.timestamp("us", "Asia/Tokyo")),
        pa.array([noon.isoformat()]),
        pa.array([noon.timestamp()]),
        pa.array([int(noon.timestamp())]),
    ):
        assert read(tmp_path, user_id=[1], item_id=[1], timestamp=column).table[
            "timestamp"
        ].to_pylist() == [expected]


@pytest.mark.parametrize(
    "kind",
    [pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.decimal128(5, 1), pa.bool_()],
    ids=str,
)
def test_weights_and_ratings_of_any_number_type_are_read(tmp_path, kind):
    column = pa.array([1, 0, 1], pa.int8()).cast(kind)
    log = read(tmp_path, user_id=[1, 2, 3], item_id=[1, 1, 1], weight=column, rating=column)
    assert log.table["weight"].to_pylist() == [1.0, 0.0, 1.0]
    assert log.table["rating"].to_pylist() == [1.0, 0.0, 1.0]


def test_numbers_that_no_double_holds_are_rounded(tmp_path):
    log = read(tmp_path, user_id=[1, 2], item_id=[1, 1], weight=[2**53 + 1, 2**62])
    assert log.table["weight"].to_pylist() == [2.0**53, 2.0**62]


def test_unknown_ratings_stay_unknown(tmp_path):
    ids = {"user_id": [1, 2], "item_id": [1, 1]}
    assert read(tmp_path, **ids, rating=pa.nulls(2)).table["rating"].null_count == 2
    assert read(tmp_path, **ids, rating=[4.0, None]).table["rating"].to_pylist() == [4.0, None]


def test_every_column_can_be_named_and_one_can_have_two_roles(tmp_path):
    config = LogConfig(
        user_column="who", item_column="what", timestamp_column="when", weight_column="stars",
        rating_column="stars", min_rating=2,
    )  # fmt: skip
    log = read(tmp_path, config, who=[1, 2], what=["a", "b"], when=[5, 6], stars=[1, 4])
    assert log.table.to_pylist() == [
        {"user_id": 2, "item_id": "b", "weight": 4.0, "timestamp": 6, "rating": 4.0}
    ]


ratings = st.none() | st.sampled_from([0.5, 3.9, 4.0, 4.1, 4.2, 5.0])


@given(st.lists(ratings, min_size=1, max_size=8), st.sampled_from([0.5, 4.0, 4.1]))
def test_rows_below_the_lowest_rating_are_left_out(tmp_path_factory, found, lowest):
    found = [*found, 5.0]
    users = list(range(len(found)))
    config = LogConfig(min_rating=lowest)
    log = read(
        tmp_path_factory.mktemp("log"), config, user_id=users, item_id=users,
        rating=pa.array(found, pa.float64()),
    )  # fmt: skip
    frame = pd.DataFrame({"user": users, "rating": pd.array(found, dtype="Float64")})
    expected = frame.loc[(frame.rating >= lowest).fillna(value=False), "user"].tolist()
    assert log.table["user_id"].to_pylist() == expected
    assert log.counts.below_min_rating == len(found) - len(expected)


@pytest.mark.parametrize(
    ("duplicates", "weights", "kept"),
    [("last", [2.0, 3.0], 2), ("sum", [1.0 + 2.0, 3.0], 2), ("keep", [1.0, 2.0, 3.0], 3)],
)
def test_duplicates_are_counted_and_treated_as_set(tmp_path, duplicates, weights, kept):
    config = LogConfig(duplicates=duplicates)
    log = read(tmp_path, config, user_id=[1, 1, 2], item_id=[1, 1, 1], weight=[1.0, 2.0, 3.0])
    assert log.table["weight"].to_pylist() == weights
    assert log.counts == LogCounts(rows_read=3, duplicates=1, rows_kept=kept)


some_id = st.none() | st.integers(0, 2)
weight = st.sampled_from([None, 0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e300])
time = st.sampled_from([None, 0.0, 7.0, np.inf])
rating = st.sampled_from([None, 1.0, 5.0])


@given(
    st.lists(st.tuples(some_id, some_id, weight, time, rating), max_size=10),
    st.sampled_from(["last", "sum", "keep"]),
)
def test_every_row_is_kept_or_counted(tmp_path_factory, rows, duplicates):
    # One good row of its own user, since a log without any is an error.
    rows = [*rows, (9, 9, 1.0, 0.0, 5.0)]
    names = ["user_id", "item_id", "weight", "timestamp", "rating"]
    kinds = [pa.int64(), pa.int64(), pa.float64(), pa.float64(), pa.float64()]
    columns = zip(names, zip(*rows, strict=True), kinds, strict=True)
    log = read(
        tmp_path_factory.mktemp("log"),
        LogConfig(duplicates=duplicates, min_rating=2),
        **{name: pa.array(values, kind) for name, values, kind in columns},
    )
    frame = pd.DataFrame(rows, columns=names, dtype=np.float64)
    bad_weight = ~(frame.weight >= 0) | (frame.weight > 1e38)
    bad = frame.user_id.isna() | frame.item_id.isna() | bad_weight | np.isinf(frame.timestamp)
    liked = frame[~bad & (frame.rating >= 2)]
    repeated = int(liked.duplicated(["user_id", "item_id"]).sum())
    counts = log.counts
    assert sum(counts.rejected.values()) == log.rejected.num_rows == bad.sum()
    assert counts.below_min_rating == (~bad).sum() - len(liked)
    assert counts.duplicates == repeated
    expected = len(liked) - (0 if duplicates == "keep" else repeated)
    assert counts.rows_kept == log.table.num_rows == expected


@pytest.mark.parametrize(
    ("path", "renamed"),
    [
        ("movielens-100k/interactions.parquet", {}),
        ("movielens-latest-small-2016/interactions.parquet", {}),
        ("movielens-1m/splits/temporal_val_positives.parquet", {}),
        ("amazon-musical-instruments-5core/interactions.parquet", {}),
        ("lastfm-2k-hetrec/interactions.parquet", {"weight_column": "play_count"}),
        ("msweb/interactions.parquet", {}),
        ("gowalla/test.parquet", {}),
    ],
)
def test_public_logs_are_read_as_pandas_reads_them(real_data, path, renamed):
    config = LogConfig(duplicates="keep", **renamed)
    log = InteractionLog.read(real_data / path, config)
    frame = pd.read_parquet(real_data / path)
    assert log.counts.rows_kept == len(frame)
    assert log.rejected.num_rows == 0
    for name, column in (("user_id", "user_id"), ("item_id", "item_id"), ("rating", "rating"),
                         ("timestamp", "timestamp"), ("weight", config.weight_column)):  # fmt: skip
        if column in frame:
            assert log.table[name].to_pandas().tolist() == frame[column].tolist()


def test_the_published_parts_of_a_public_log_are_the_log(real_data):
    folder = real_data / "movielens-100k"
    parts = [folder / "splits" / f"u1_{part}.parquet" for part in ("train", "test")]
    joined, whole = (
        InteractionLog.read(paths, LogConfig()).table.sort_by(
            [("user_id", "ascending"), ("item_id", "ascending")]
        )
        for paths in (parts, folder / "interactions.parquet")
    )
    assert joined.equals(whole)
