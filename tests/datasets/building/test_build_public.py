import pandas as pd
import pytest

from recsparse.errors import InputError
from tests.prepared import prepared_files

LAST_OUT = ["split.kind=leave_last_out"]


def ids_of(counts):
    """Return the number of users and items, in training or not."""
    return tuple(counts[name] + counts[f"unseen_{name}"] for name in ("users", "items"))


def rows_of(counts):
    return sum(
        counts[f"{name}_rows"]
        for name in ("train", "validation", "test", "validation_history", "test_history")
    )


def test_movielens_1m_has_its_published_size(tmp_path, real_data):
    path = real_data / "movielens-1m" / "interactions.parquet"
    counts = prepared_files(path, tmp_path / "dataset").counts
    assert counts["log_rows"] == rows_of(counts) == 1_000_209
    assert ids_of(counts) == (6_040, 3_706)
    assert counts["rejected_rows"] == counts["duplicate_rows"] == counts["rows_outside_core"] == 0
    sizes = pd.read_parquet(path, columns=["user_id"])["user_id"].value_counts()
    # pandas, as NumPy, rounds a half to the even number.
    assert counts["test_rows"] == counts["validation_rows"] == (sizes * 0.1).round().sum()


def test_movielens_1m_is_not_split_by_the_times_it_lacks(tmp_path, real_data):
    path = real_data / "movielens-1m" / "interactions.parquet"
    message = (
        r"the split 'leave_last_out' needs a time for every row, but 430910 of 1000209 have none; "
        r"name the column by log\.timestamp_column, or set split\.kind to random, "
        r"held_out_users or held_out_items"
    )
    with pytest.raises(InputError, match=message):
        prepared_files(path, tmp_path / "dataset", LAST_OUT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["leave_last_out", "global_time"])
def test_the_positives_of_movielens_1m_are_split_by_time_as_by_pandas(tmp_path, real_data, kind):
    path = real_data / "movielens-1m" / "positives_timestamped.parquet"
    data = prepared_files(path, tmp_path / "dataset", [f"split.kind={kind}", "log.min_user_rows=5"])
    frame = pd.read_parquet(path)
    frame = frame[frame.groupby("user_id")["item_id"].transform("size") >= 5]
    frame = frame.sort_values(["user_id", "timestamp", "item_id"])
    if kind == "leave_last_out":
        test = frame.groupby("user_id").tail(1)
    else:
        by_time = frame["timestamp"].sort_values(ascending=False)
        test = frame[frame["timestamp"] >= by_time.iloc[round(len(frame) * 0.1) - 1]]
    found = data.with_ids(data.split.test)
    assert found["user_id"].to_pylist() == test["user_id"].tolist()
    assert found["item_id"].to_pylist() == test["item_id"].tolist()
    assert found["timestamp"].to_pylist() == test["timestamp"].astype(int).tolist()
    rest = frame.drop(test.index)
    if kind == "leave_last_out":
        assert (
            data.counts["items"]
            == rest.drop(rest.groupby("user_id").tail(1).index)["item_id"].nunique()
        )


def test_gowalla_keeps_its_published_split(tmp_path, real_data):
    folder = real_data / "gowalla"
    counts = prepared_files(
        folder / "train.parquet", tmp_path / "dataset", test=folder / "test.parquet"
    ).counts
    assert ids_of(counts) == (29_858, 40_981)
    assert counts["train_rows"] + counts["validation_rows"] == 810_128
    assert counts["test_rows"] == 217_242
    sizes = pd.read_parquet(folder / "train.parquet")["user_id"].value_counts()
    assert counts["validation_rows"] == (sizes[sizes >= 3] * 0.1).round().sum()


def test_citeulike_t_has_its_published_size(tmp_path, real_data):
    folder = real_data / "citeulike-t"
    counts = prepared_files(folder / "interactions.parquet", tmp_path / "dataset").counts
    assert counts["log_rows"] == rows_of(counts) == 134_860
    # Of 25,975 items 25,584 have a user.
    assert ids_of(counts) == (7_947, 25_584)
    assert pd.read_parquet(folder / "items.parquet", columns=["item_id"]).shape == (25_975, 1)


@pytest.mark.parametrize("kind", ["random", "leave_last_out"])
def test_amazon_musical_instruments_is_its_own_core(tmp_path, real_data, kind):
    path = real_data / "amazon-musical-instruments-5core" / "interactions.parquet"
    core = ["log.min_user_rows=5", "log.min_item_rows=5", f"split.kind={kind}"]
    counts = prepared_files(path, tmp_path / "dataset", core).counts
    assert counts["log_rows"] == rows_of(counts) == 10_261
    assert ids_of(counts) == (1_429, 900)
    assert counts["rows_outside_core"] == counts["duplicate_rows"] == 0
    assert kind == "random" or counts["test_rows"] == 1_429


def test_the_core_of_movielens_is_that_of_pandas(tmp_path, real_data):
    path = real_data / "movielens-100k" / "interactions.parquet"
    core = ["log.min_user_rows=30", "log.min_item_rows=20", "log.min_rating=4"]
    counts = prepared_files(path, tmp_path / "dataset", core).counts
    frame = pd.read_parquet(path)
    liked = frame[frame["rating"] >= 4]
    assert counts["rows_below_min_rating"] == len(frame) - len(liked)
    while True:
        users, items = (
            liked[name].map(liked[name].value_counts()) for name in ("user_id", "item_id")
        )
        if (users >= 30).all() and (items >= 20).all():
            break
        liked = liked[(users >= 30) & (items >= 20)]
    assert rows_of(counts) == len(liked)
    assert ids_of(counts) == (liked["user_id"].nunique(), liked["item_id"].nunique())


def test_the_last_rows_of_movielens_100k_are_left_out_as_by_pandas(tmp_path, real_data):
    path = real_data / "movielens-100k" / "interactions.parquet"
    data = prepared_files(path, tmp_path / "dataset", LAST_OUT)
    assert data.counts["users"] == data.counts["test_rows"] == data.counts["validation_rows"] == 943
    assert data.counts["train_rows"] == 100_000 - 2 * 943
    by_time = pd.read_parquet(path).sort_values(["user_id", "timestamp", "item_id"])
    trained = by_time[by_time.groupby("user_id").cumcount(ascending=False) >= 2]
    assert data.counts["items"] == trained["item_id"].nunique()
    assert data.train_matrix().nnz == len(trained)
