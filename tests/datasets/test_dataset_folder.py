import re
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets.dataset_folder import load_dataset, load_vocabularies
from recsparse.datasets.parts import PART_NAMES
from recsparse.errors import InputError, MissingFileError
from tests.prepared import prepared

STRING = pa.string()
PARTS = [f"{name}.arrow" for name in PART_NAMES]
ROWS = [(user, item) for user in range(20) for item in range(7)]
WEIGHTS = [1.0] * 139 + [-1.0]


def made(folder, kind="random", text="fox", ids=STRING):
    """Return a dataset of 139 good rows and a bad one."""
    rows = [(str(user), str(item)) for user, item in ROWS] if ids == STRING else ROWS
    items = None
    if text:
        items = folder / "items.parquet"
        texts = {"item_id": pa.array([0, 3]).cast(ids), "text": [f"{text} red", text]}
        pq.write_table(pa.table(texts), items)
    return prepared(folder, rows, [f"split.kind={kind}"], weight=WEIGHTS, items=items)


def saved(folder, **settings) -> Path:
    made(folder, **settings)
    return folder / "dataset"


def assert_equal(one, other):
    for name in ("users", "items", "unseen_users", "unseen_items"):
        assert getattr(one, name).ids.equals(getattr(other, name).ids)
    for name in PART_NAMES:
        assert getattr(one.split, name).equals(getattr(other.split, name))
        assert getattr(one.split, name).schema == getattr(other.split, name).schema
    assert one.user_order.rank.tolist() == other.user_order.rank.tolist()
    assert one.item_order.rank.tolist() == other.item_order.rank.tolist()
    assert one.counts == other.counts
    assert one.config == other.config
    assert (one.words is None) == (other.words is None)
    if one.words is not None:
        assert one.words.words == other.words.words
        assert one.words.weighting == other.words.weighting
        assert (one.item_side.bags != other.item_side.bags).nnz == 0
        assert one.item_side.bags.dtype == other.item_side.bags.dtype


@pytest.mark.parametrize("kind", ["random", "held_out_users"])
@pytest.mark.parametrize("text", ["fox", ""])
@pytest.mark.parametrize("ids", [pa.string(), pa.int64()], ids=str)
def test_a_dataset_is_loaded_as_it_was_made(tmp_path, kind, text, ids):
    data = made(tmp_path, kind, text, ids)
    loaded = load_dataset(str(tmp_path / "dataset"))
    assert_equal(data, loaded)
    assert sum(table.num_rows for table in loaded.split.all) == 139
    assert loaded.users.ids.type == loaded.items.ids.type == ids
    part, again = data.evaluation_part("test"), loaded.evaluation_part("test")
    assert part.user_ids.equals(again.user_ids)
    assert (part.history != again.history).nnz == (part.targets != again.targets).nnz == 0


def test_rejected_rows_are_read_with_their_reason(tmp_path):
    (row,) = pq.read_table(saved(tmp_path) / "rejected.parquet").to_pylist()
    expected = {"user_id": "19", "item_id": "6", "weight": -1.0, "reason": "weight is negative"}
    assert {name: row[name] for name in expected} == expected


def test_vocabularies_alone_are_read_too(tmp_path):
    found = load_vocabularies(saved(tmp_path, ids=pa.int64()))
    assert found["users"].ids.to_pylist() == list(range(20))
    assert found["items"].ids.to_pylist() == list(range(7))


def test_the_folder_holds_arrow_and_parquet_and_one_toml(tmp_path):
    folder = saved(tmp_path, text="")
    tables = {
        "users", "items", "unseen_users", "unseen_items", "user_order", "item_order", "rejected",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {
        "dataset.toml", "manifest.toml", "log", *PARTS, *(f"{name}.parquet" for name in tables)
    }  # fmt: skip
    assert {path.name for path in (folder / "log").iterdir()} == {
        "rows.arrow", "users.parquet", "items.parquet", "taken.parquet"
    }  # fmt: skip
    described = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    assert described["format_version"] == 2
    assert described["counts"]["rejected_rows"] == 1
    assert described["config"]["split"]["kind"] == "random"


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    folder = saved(tmp_path)
    data = made(tmp_path, text="")
    assert not list(folder.glob("item_words*"))
    assert_equal(load_dataset(folder), data)


def test_a_byte_that_has_flipped_is_told_with_the_file_and_both_checksums(tmp_path):
    folder = saved(tmp_path)
    for name in ("train.arrow", "user_order.parquet", "item_bags.parquet"):
        whole = (folder / name).read_bytes()
        found = []
        for place in range(len(whole) // 3, len(whole), max(1, len(whole) // 40)):
            flipped = bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]])
            (folder / name).write_bytes(flipped)
            with pytest.raises(InputError, match=re.escape(str(folder / name))) as raised:
                load_dataset(folder)
            found.append(str(raised.value))
        sums = rf"{name} must be as it was written \(sha256 [0-9a-f]{{12}}…\), but it is damaged \("
        assert any(re.search(sums, text) for text in found), found
        (folder / name).write_bytes(whole)
    load_dataset(folder)


def test_a_folder_of_an_older_build_has_no_manifest_and_is_read(tmp_path):
    folder = saved(tmp_path)
    data = load_dataset(folder)
    (folder / "manifest.toml").unlink()
    assert_equal(load_dataset(folder), data)


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


@pytest.mark.parametrize("version", [0, 1, 3, '"2"'])
def test_another_format_version_is_refused(tmp_path, version):
    folder = saved(tmp_path)
    path = folder / "dataset.toml"
    path.write_text(path.read_text().replace("format_version = 2", f"format_version = {version}"))
    with pytest.raises(InputError, match=r"must have format version 2, but has .*; prepare it aga"):
        load_dataset(folder)


TABLES = [
    "users.parquet", "items.parquet", "unseen_users.parquet", "unseen_items.parquet",
    "user_order.parquet", "item_order.parquet",
]  # fmt: skip
WORDS = ["item_words.parquet", "item_bags.parquet"]


@pytest.mark.parametrize("name", [*PARTS, *TABLES, *WORDS])
@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_a_missing_or_truncated_file_is_named(tmp_path, name, harm):
    path = saved(tmp_path) / name
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises((InputError, MissingFileError), match=rf"{name} must "):
        load_dataset(path.parent)


@pytest.mark.parametrize("name", [*TABLES, "item_bags.parquet"])
def test_a_file_of_other_columns_is_named(tmp_path, name):
    path = saved(tmp_path) / name
    pq.write_table(pa.table({"other": [1]}), path)
    with pytest.raises(InputError, match=rf"{name} must have the columns that were written there"):
        load_dataset(path.parent)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_other_columns_is_named(tmp_path, name):
    path = saved(tmp_path) / name
    with pa.ipc.new_file(str(path), pa.schema([("other", pa.int64())])):
        pass
    with pytest.raises(
        InputError, match=rf"{name} must have the columns user_index, .* has other;"
    ):
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
    path = saved(tmp_path) / "item_bags.parquet"
    pq.write_table(pa.table({"index": [0], "word_index": [7], "value": [1.0]}), path)
    with pytest.raises(InputError, match=r"item_bags\.parquet must have indices from 0 to 1, but "):
        load_dataset(path.parent)


def test_a_dataset_without_rejected_rows_keeps_their_columns(tmp_path):
    rejected = pq.read_table(saved(tmp_path) / "rejected.parquet")
    clean = prepared(tmp_path, ROWS, weight=[1.0] * 140)
    assert clean.counts["rejected_rows"] == 0
    found = pq.read_table(tmp_path / "dataset" / "rejected.parquet")
    assert (found.num_rows, found.column_names) == (0, rejected.column_names)
