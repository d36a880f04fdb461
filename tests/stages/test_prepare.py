import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, MissingFileError, OutputError
from recsparse.stages.prepare import prepare
from tests.row_frames import all_rows


def rows_of(table):
    return sorted(zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True))


def test_every_row_of_the_log_is_in_one_part_of_the_dataset(small_log, tmp_path):
    data = prepare(small_log / "log.parquet", tmp_path / "dataset")
    log = pq.read_table(small_log / "log.parquet")
    assert rows_of(all_rows(load_dataset(tmp_path / "dataset"))) == rows_of(log)
    assert data.counts["train_rows"] + data.counts["validation_rows"] + data.counts[
        "test_rows"
    ] == len(log)
    assert data.words is None


def test_several_logs_are_one(small_log, tmp_path):
    log = pq.read_table(small_log / "log.parquet")
    for name, part in (("a", log[:150]), ("b", log[150:])):
        pq.write_table(part, tmp_path / f"{name}.parquet")
    logs = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    together = prepare(logs, tmp_path / "together")
    whole = prepare(small_log / "log.parquet", tmp_path / "whole")
    assert all_rows(together) == all_rows(whole)


def test_items_give_a_bag_of_words(small_log, tmp_path):
    log, items = small_log / "log.parquet", small_log / "items.parquet"
    config = load_config(None, ["text.max_words=7"])
    data = prepare(log, tmp_path / "dataset", items, config)
    assert len(data.words) == 7
    assert data.item_features[0].values.shape == (len(data.items), 7)


def test_items_are_named_as_in_the_log(small_log, tmp_path):
    for name in ("log", "items"):
        table = pq.read_table(small_log / f"{name}.parquet")
        names = ["product" if column == "item_id" else column for column in table.column_names]
        pq.write_table(table.rename_columns(names), tmp_path / f"{name}.parquet")
    config = load_config(None, ["log.item_column=product"])
    log, items = tmp_path / "log.parquet", tmp_path / "items.parquet"
    data = prepare(log, tmp_path / "dataset", items, config)
    assert data.counts["item_table_without_text"] == data.counts["item_table_not_in_table"] == 0


def test_no_logs_are_refused(tmp_path):
    with pytest.raises(InputError, match="prepare needs at least one log"):
        prepare([], tmp_path / "dataset")


def test_a_log_that_is_not_there_leaves_the_old_dataset(small_log, tmp_path):
    old = prepare(small_log / "log.parquet", tmp_path / "dataset")
    with pytest.raises(
        MissingFileError, match=r"no\.parquet must be a Parquet or CSV file or folder"
    ):
        prepare(tmp_path / "no.parquet", tmp_path / "dataset")
    assert all_rows(load_dataset(tmp_path / "dataset")) == all_rows(old)


def test_a_log_of_one_user_is_refused_and_leaves_nothing(tmp_path):
    pq.write_table(pa.table({"user_id": [1, 1], "item_id": [1, 2]}), tmp_path / "log.parquet")
    with pytest.raises(InputError, match="at least 2 users"):
        prepare(tmp_path / "log.parquet", tmp_path / "dataset")
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


def test_from_python_a_dataset_replaces_one_of_another_log_and_nothing_else(small_log, tmp_path):
    log = pq.read_table(small_log / "log.parquet")
    pq.write_table(log.slice(0, 300), tmp_path / "shorter.parquet")
    prepare(small_log / "log.parquet", tmp_path / "dataset")
    data = prepare(tmp_path / "shorter.parquet", tmp_path / "dataset")
    assert data.counts["log_rows"] == 300
    with pytest.raises(OutputError, match="of another job"):
        prepare(small_log / "log.parquet", tmp_path / "dataset", overwrite=False)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("all of it")
    with pytest.raises(OutputError, match="recsparse wrote"):
        prepare(small_log / "log.parquet", tmp_path / "thesis")
    assert (tmp_path / "thesis" / "thesis.txt").read_text() == "all of it"
