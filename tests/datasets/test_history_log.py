import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.data import LogConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.data_settings import DataSettings
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.history_log import read_history
from recsparse.errors import InputError
from recsparse.stages.prepare import prepare
from tests.logs import DUPLICATES
from tests.row_frames import all_rows

DAY = 86_400
KEY = ["user_id", "item_id"]
OTHER_NAMES = {
    "user_id": "customer", "item_id": "product", "timestamp": "at", "weight": "amount",
    "rating": "stars", "event": "what",
}  # fmt: skip
NAMED = [
    "log.user_column=customer", "log.item_column=product", "log.timestamp_column=at",
    "log.weight_column=amount", "log.rating_column=stars", "log.event_column=what",
]  # fmt: skip


def shop_log(num_rows=600, seed=0) -> pd.DataFrame:
    """Return events of 30 users on 15 items in 100 days, many of them repeated."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 30, num_rows),
            "item_id": rng.integers(100, 115, num_rows),
            "timestamp": rng.permutation(num_rows) * DAY // 6,
            "weight": rng.integers(1, 4, num_rows).astype(float),
            "rating": rng.integers(1, 6, num_rows),
            "event": rng.choice(["view", "cart", "other"], num_rows),
        }
    )


def prepared_with(folder, frame, settings):
    frame.to_parquet(folder / "log.parquet")
    prepare(folder / "log.parquet", folder / "dataset", config=load_config(None, settings))
    return load_dataset(folder / "dataset")


def by_cell(table: pa.Table) -> pd.DataFrame:
    """Return the sum of weights and the last time of each user and item."""
    frame = table.to_pandas().groupby(KEY).agg({"weight": "sum", "timestamp": "max"})
    return frame.sort_index()


@pytest.mark.parametrize("keep", DUPLICATES)
@pytest.mark.parametrize("split", ["random", "leave_last_out", "held_out_users"])
def test_rows_read_as_a_history_weigh_what_they_weigh_in_the_dataset(tmp_path, keep, split):
    frame = shop_log().rename(columns=OTHER_NAMES)
    weighed = ["log.event_weights={view=1, cart=3}", "log.min_rating=2", "log.where=product<>107"]
    settings = [*NAMED, *weighed, *DUPLICATES[keep], f"split.kind={split}"]
    data = prepared_with(tmp_path, frame, settings)
    rows = read_history(tmp_path / "log.parquet", DataSettings.of(data.config, data.counts))
    expected = by_cell(all_rows(data))
    assert len(expected) > 200
    pd.testing.assert_frame_equal(by_cell(rows), expected, rtol=1e-5)


def test_what_is_set_for_a_history_wins_key_by_key(tmp_path):
    data = prepared_with(
        tmp_path, shop_log(), ["log.duplicates=sum", "log.event_weights={view=1, cart=3}"]
    )
    renamed = shop_log().rename(columns={"user_id": "who"})
    renamed.to_parquet(tmp_path / "renamed.parquet")
    settings = DataSettings.of(data.config, data.counts)
    given = LogConfig(user_column="who", event_weights={})
    rows = read_history(tmp_path / "renamed.parquet", settings, given)
    sums = shop_log().groupby(KEY)["weight"].sum()
    np.testing.assert_allclose(by_cell(rows)["weight"], sums)
    # A setting that is set to the default wins as well.
    rows = read_history(tmp_path / "log.parquet", settings, LogConfig(duplicates="last"))
    assert len(rows) < len(shop_log())
    assert rows["weight"].to_pandas().max() <= 9


@pytest.mark.parametrize("times", ["no column", "another name", "all null"])
def test_without_times_the_order_of_the_file_is_taken_with_a_warning(tmp_path, caplog, times):
    frame = pd.DataFrame(
        {"user_id": [1, 1, 2, 1], "item_id": [7, 5, 6, 7], "weight": [3.0, 1.0, 1.0, 2.0]}
    )
    if times == "another name":
        frame["ts"] = [10, 20, 30, 40]
    elif times == "all null":
        frame["timestamp"] = pd.array([None] * 4, "Int64")
    frame.to_parquet(tmp_path / "history.parquet")
    settings = DataSettings({"log": {"half_life_days": 1.0}}, 100 * DAY)
    with caplog.at_level(logging.WARNING):
        rows = read_history(tmp_path / "history.parquet", settings, in_order=True)
    assert "no row of the history" in caplog.text
    assert "'timestamp'" in caplog.text
    found = rows.to_pandas().sort_values("timestamp")
    assert found["item_id"].tolist() == [5, 6, 7]
    assert found["weight"].tolist() == [1.0, 1.0, 2.0]


def test_the_order_of_several_files_and_of_filtered_rows_is_theirs(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("b", "a"):
        frame = pd.DataFrame({"user_id": 1, "item_id": rng.permutation(150_000)})
        pq.write_table(
            pa.Table.from_pandas(frame), tmp_path / f"{name}.parquet", row_group_size=10_000
        )
    paths = [tmp_path / "b.parquet", tmp_path / "a.parquet"]
    config = LogConfig(where="item_id % 2 = 0", duplicates="keep")
    rows = read_history(paths, DataSettings(), config, in_order=True)
    items = pd.concat([pd.read_parquet(path) for path in paths])["item_id"]
    ordered = rows.to_pandas().sort_values("timestamp")["item_id"].tolist()
    assert ordered == items[items % 2 == 0].tolist()


def test_rows_that_the_condition_of_the_dataset_leaves_out_are_warned_of(tmp_path, caplog):
    data = prepared_with(tmp_path, shop_log(), ["log.where=timestamp < '1970-03-01'"])
    path, settings = tmp_path / "log.parquet", DataSettings.of(data.config, data.counts)
    read_history(path, settings)
    left_out = int((shop_log()["timestamp"] >= 59 * DAY).sum())
    assert f"{left_out} rows of the history" in caplog.text
    later = shop_log(100).assign(timestamp=lambda frame: frame["timestamp"] + 100 * DAY)
    later.to_parquet(path)
    with pytest.raises(InputError, match=r"has none for which .* log\.where = .*give another"):
        read_history(path, settings)
    assert len(read_history(path, settings, LogConfig(where=None))) > 0


def test_an_unknown_dataset_means_the_defaults(tmp_path):
    shop_log().to_parquet(tmp_path / "log.parquet")
    rows = read_history(tmp_path / "log.parquet", DataSettings.from_dict({}))
    assert len(rows) == len(shop_log().drop_duplicates(KEY))
    shop_log().rename(columns=OTHER_NAMES).to_parquet(tmp_path / "log.parquet")
    with pytest.raises(InputError, match="must have the column 'user_id', but it has"):
        read_history(tmp_path / "log.parquet", DataSettings())


def test_settings_come_back_as_they_were_written(small_dataset):
    data = load_dataset(small_dataset)
    settings = DataSettings.of(data.config, data.counts)
    again = DataSettings.from_dict(settings.to_dict())
    assert again == settings
    assert again.config().split.kind == "random"
