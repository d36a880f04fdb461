import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config_file import load_config
from recsparse.stages.describe import describe


def test_the_figures_of_a_log_are_those_that_pandas_counts(small_log):
    found = describe(small_log / "log.parquet")
    log = pd.read_parquet(small_log / "log.parquet")
    per_item = log["item_id"].value_counts()
    assert found == {
        "kind": "log",
        "rows": len(log),
        "users": log["user_id"].nunique(),
        "items": log["item_id"].nunique(),
        "share of active cells": len(log) / (log["user_id"].nunique() * log["item_id"].nunique()),
        "rows a user (median)": log["user_id"].value_counts().median(),
        "rows an item (median)": per_item.median(),
        "share of rows in the top 10 % of items": per_item[: len(per_item) // 10].sum() / len(log),
        "first event": pd.Timestamp(log["timestamp"].min(), unit="s", tz="UTC").isoformat(),
        "last event": pd.Timestamp(log["timestamp"].max(), unit="s", tz="UTC").isoformat(),
        "rejected rows": 0,
        "duplicate rows": 0,
    }


def test_a_dataset_is_known_as_one_and_tells_where_its_rows_went(small_log, small_dataset):
    found, log = describe(small_dataset), describe(small_log / "log.parquet")
    assert found["kind"] == "dataset"
    assert {name: found[name] for name in ("rows", "users", "items")} == {
        name: log[name] for name in ("rows", "users", "items")
    }
    assert found["train_rows"] + found["validation_rows"] + found["test_rows"] == found["rows"]


def test_doubtful_rows_are_counted(tmp_path):
    log = pa.table({"who": [1, 1, None, 2], "item_id": [5, 5, 5, 6]})
    pq.write_table(log, tmp_path / "log.parquet")
    found = describe(tmp_path / "log.parquet", load_config(None, ["log.user_column=who"]).log)
    assert (found["rows"], found["rejected rows"], found["duplicate rows"]) == (2, 1, 1)


@pytest.mark.parametrize("times", [None, pa.array([None, None], pa.int64())])
def test_a_log_without_times_has_no_first_and_last_event(tmp_path, times):
    log = {"user_id": [1, 2], "item_id": [5, 5]} | ({} if times is None else {"timestamp": times})
    pq.write_table(pa.table(log), tmp_path / "log.parquet")
    found = describe(tmp_path / "log.parquet")
    assert "first event" not in found
    assert found["share of rows in the top 10 % of items"] == 2 / 2
