import pyarrow as pa
import pytest

from recsparse.datasets.building.id_encoder import LogEncoder
from recsparse.datasets.building.log_store import LogStore, save_log, stored
from recsparse.datasets.indexed_rows import Rows, read_blocks
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.datasets.workspace import Resources, workspace
from recsparse.errors import InputError
from tests.parted import sorted_log
from tests.prepared import prepared

ROWS = [(f"user {user}", item) for user in range(4) for item in range(8)]


def test_blocks_pass_by_as_they_are_and_are_kept(tmp_path):
    rows = sorted_log([0, 0, 1, 2, 2, 2], [1, None, 3, 4, 5, 6])
    blocks = [rows.take(slice(0, 2)), rows.take(slice(2, 6))]
    passed = list(stored(blocks, tmp_path))
    assert all(one is other for one, other in zip(passed, blocks, strict=True))
    found = list(read_blocks(tmp_path / "log" / "rows.arrow"))
    for one, other in zip(found, blocks, strict=True):
        assert one.to_batch().equals(other.to_batch())


def test_a_block_that_fails_closes_the_file(tmp_path):
    def blocks():
        yield sorted_log([0])
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        list(stored(blocks(), tmp_path))
    assert [len(block) for block in read_blocks(tmp_path / "log" / "rows.arrow")] == [1]


def test_ids_are_saved_beside_the_rows(tmp_path):
    list(stored([sorted_log([0])], tmp_path))
    users, items = Vocabulary(pa.array(["z", "a"])), Vocabulary(pa.array([5]))
    save_log(users, items, None, tmp_path)
    assert {path.name for path in (tmp_path / "log").iterdir()} == {
        "rows.arrow", "users.parquet", "items.parquet"
    }  # fmt: skip
    assert Vocabulary.load(tmp_path / "log" / "users.parquet").ids.equals(users.ids)


def test_the_rows_of_a_dataset_are_encoded_again_without_its_log(tmp_path):
    prepared(tmp_path, ROWS)
    (tmp_path / "log.parquet").unlink()
    store = LogStore.open(tmp_path / "dataset")
    assert store.counts["log_rows"] == len(ROWS)
    with workspace(Resources(), tmp_path / "other") as work:
        encoder = LogEncoder(work, pa.string(), pa.int64())
        store.add_to(encoder)
        users, items, blocks = encoder.finish(None, None)
        rows = Rows.concatenate(list(blocks))
    found = zip(
        users.vocabulary.id_of(rows.user).to_pylist(),
        items.vocabulary.id_of(rows.item).to_pylist(),
        strict=True,
    )
    assert list(found) == ROWS


def test_a_store_damaged_in_its_middle_is_named(tmp_path):
    prepared(tmp_path, ROWS)
    store = LogStore.open(tmp_path / "dataset")
    content = bytearray(store.path.read_bytes())
    content[len(content) // 2 - 100 : len(content) // 2 + 100] = b"\xff" * 200
    store.path.write_bytes(content)
    with (
        pytest.raises(InputError, match=r"log/rows\.arrow must be the Arrow file that was written"),
        workspace(Resources(), tmp_path / "other") as work,
    ):
        store.add_to(LogEncoder(work, pa.string(), pa.int64()))
