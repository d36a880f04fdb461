import dataclasses
import errno
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recsparse.config_file import load_config
from recsparse.datasets.dataset import build_dataset
from recsparse.datasets.dataset_folder import load_dataset, save_dataset
from recsparse.datasets.items import ItemsTable
from recsparse.datasets.log import InteractionLog
from recsparse.datasets.split import PART_NAMES
from recsparse.errors import InputError, MissingFileError, OutputError

STRING = pa.string()
PARTS = [f"{name}.parquet" for name in PART_NAMES]


def made(folder, kind="random", text="fox", ids=STRING):
    users = [user for user in range(20) for _ in range(7)]
    columns = {
        "user_id": pa.array(users, pa.int64()).cast(ids),
        "item_id": pa.array([*range(7)] * 20).cast(ids),
        "weight": [1.0] * 139 + [-1.0],
        "timestamp": list(range(140)),
    }
    path = folder / "log.parquet"
    pq.write_table(pa.table(columns), path)
    config = load_config(overrides=[f"split.kind={kind}"])
    items = ItemsTable(pa.array([0, 3]).cast(ids), (f"{text} red", text)) if text else None
    return build_dataset(InteractionLog.read(path, config.log), items, config)


def saved(folder, **settings) -> Path:
    data = made(folder, **settings)
    save_dataset(data, folder / "dataset")
    return folder / "dataset"


def assert_equal(one, other):
    assert one.users.ids.equals(other.users.ids)
    assert one.items.ids.equals(other.items.ids)
    for name in PART_NAMES:
        assert getattr(one.split, name).equals(getattr(other.split, name))
        assert getattr(one.split, name).schema == getattr(other.split, name).schema
    assert one.rejected.equals(other.rejected)
    assert one.user_order.rank.tolist() == other.user_order.rank.tolist()
    assert one.item_order.rank.tolist() == other.item_order.rank.tolist()
    assert one.counts == other.counts
    assert one.config == other.config
    assert (one.words is None) == (other.words is None)
    if one.words is not None:
        assert one.words.words == other.words.words
        assert one.words.weighting == other.words.weighting
        assert torch.equal(one.item_words.to_dense(), other.item_words.to_dense())
        assert one.item_words.feats.dtype == other.item_words.feats.dtype


@pytest.mark.parametrize("kind", ["random", "held_out_users"])
@pytest.mark.parametrize("text", ["fox", "日本 é", ""])
@pytest.mark.parametrize("ids", [pa.string(), pa.int64()], ids=str)
def test_a_dataset_is_loaded_as_it_was_saved(tmp_path, kind, text, ids):
    data = made(tmp_path, kind, text, ids)
    save_dataset(data, tmp_path / "dataset")
    loaded = load_dataset(str(tmp_path / "dataset"))
    assert_equal(data, loaded)
    assert loaded.rejected["reason"].to_pylist() == ["weight is negative"]
    assert (loaded.train_matrix() != data.train_matrix()).nnz == 0
    part, again = data.evaluation_part("test"), loaded.evaluation_part("test")
    assert part.user_ids.equals(again.user_ids)
    assert (part.history != again.history).nnz == (part.targets != again.targets).nnz == 0


def test_the_folder_holds_parquet_and_one_toml(tmp_path):
    folder = saved(tmp_path)
    tables = {"users", "items", "user_order", "item_order", "rejected", "words", "item_words"}
    assert {path.name for path in folder.iterdir()} == {
        "dataset.toml", *PARTS, *(f"{name}.parquet" for name in tables)
    }  # fmt: skip
    described = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    assert described["format_version"] == 1
    assert described["counts"]["rejected_rows"] == 1
    assert described["config"]["split"]["kind"] == "random"


def test_without_text_there_are_no_word_files(tmp_path):
    assert not list(saved(tmp_path, text="").glob("*words*"))


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    folder = saved(tmp_path)
    (folder / "extra.txt").write_text("old")
    data = made(tmp_path, text="")
    save_dataset(data, folder)
    assert not (folder / "extra.txt").exists()
    assert_equal(load_dataset(folder), data)
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "log.parquet"}


@pytest.mark.parametrize("calls_that_work", [0, 3, 8])
def test_a_full_disk_leaves_the_old_dataset(tmp_path, monkeypatch, calls_that_work):
    folder, write_table, calls = saved(tmp_path), pq.write_table, []
    old = load_dataset(folder)
    new = dataclasses.replace(old, counts={**old.counts, "users": 0})

    def full(*arguments, **settings):
        calls.append(arguments)
        if len(calls) > calls_that_work:
            raise OSError(errno.ENOSPC, "no space left")
        write_table(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(OutputError, match="needs more room than the disk has"):
            save_dataset(new, folder)
    assert_equal(load_dataset(folder), old)
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "log.parquet"}


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none at .*nowhere; make one with `recsparse prep"):
        load_dataset(tmp_path / "nowhere")


def test_a_file_is_no_dataset(tmp_path):
    saved(tmp_path)
    with pytest.raises(MissingFileError, match=r"the dataset must be a folder, but .*log\.parquet"):
        load_dataset(tmp_path / "log.parquet")


def test_a_folder_without_a_description_is_no_dataset(tmp_path):
    with pytest.raises(InputError, match=r"must be a dataset folder with a readable dataset\.toml"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"format_version = = 1", b"\xff\xfe", b"format_version = 1",
        b"format_version = 1\n[counts]\n", b"[counts]\n[config]\n",
    ],
)  # fmt: skip
def test_a_damaged_description_is_named(tmp_path, content):
    folder = saved(tmp_path)
    (folder / "dataset.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"must be a dataset folder with a readable dataset\.toml"):
        load_dataset(folder)


@pytest.mark.parametrize("version", [0, 2, '"1"'])
def test_another_format_version_is_refused(tmp_path, version):
    folder = saved(tmp_path)
    path = folder / "dataset.toml"
    path.write_text(path.read_text().replace("format_version = 1", f"format_version = {version}"))
    with pytest.raises(InputError, match=r"must have format version 1, but has .*; prepare it aga"):
        load_dataset(folder)


TABLES = [
    *PARTS, "users.parquet", "items.parquet", "user_order.parquet", "item_order.parquet",
    "rejected.parquet", "item_words.parquet",
]  # fmt: skip


@pytest.mark.parametrize("name", [*TABLES, "words.parquet"])
@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_a_missing_or_truncated_file_is_named(tmp_path, name, harm):
    path = saved(tmp_path) / name
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises((InputError, MissingFileError), match=rf"{name} must "):
        load_dataset(path.parent)


@pytest.mark.parametrize("name", [name for name in TABLES if name != "rejected.parquet"])
def test_a_file_of_other_columns_is_named(tmp_path, name):
    path = saved(tmp_path) / name
    pq.write_table(pa.table({"other": [1]}), path)
    with pytest.raises(InputError, match=rf"{name} must have the columns that were written there"):
        load_dataset(path.parent)


@pytest.mark.parametrize("axis", ["user", "item"])
def test_an_order_of_another_length_is_refused(tmp_path, axis):
    path = saved(tmp_path) / f"{axis}_order.parquet"
    size = pq.read_table(path).num_rows
    pq.write_table(pa.table({"rank": range(size - 1)}), path)
    message = (
        rf"{axis}_order\.parquet must have one rank for each of {size} ids, but has {size - 1}"
    )
    with pytest.raises(InputError, match=message):
        load_dataset(path.parent)


def test_an_order_that_is_no_permutation_is_refused(tmp_path):
    path = saved(tmp_path) / "item_order.parquet"
    pq.write_table(pa.table({"rank": [0] * 7}), path)
    with pytest.raises(InputError, match="rank must hold each of 0 … 6 once"):
        load_dataset(path.parent)


def test_words_outside_the_vocabulary_are_refused(tmp_path):
    path = saved(tmp_path) / "item_words.parquet"
    words = pa.array([7], pa.int64())
    table = {
        "item_index": pa.array([0]),
        "word_index": words,
        "value": pa.array([1.0], pa.float32()),
    }
    pq.write_table(pa.table(table), path)
    with pytest.raises(InputError, match=r"coords must be .* the first is coords\[0\] = \[0, 7\]"):
        load_dataset(path.parent)


def test_a_dataset_without_rejected_rows_keeps_their_columns(tmp_path):
    data = made(tmp_path)
    clean = dataclasses.replace(data, rejected=data.rejected.slice(0, 0))
    save_dataset(clean, tmp_path / "dataset")
    assert load_dataset(tmp_path / "dataset").rejected.schema == data.rejected.schema
