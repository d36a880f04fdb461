import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.indexed_rows import (
    INDEXED_SCHEMA,
    NO_RATING,
    NO_TIME,
    Rows,
    RowsWriter,
    first_of_user,
    open_indexed,
    read_blocks,
)
from recsparse.errors import InputError


def rows_of(users, seed=0, text=False):
    """Return rows of some users, some of them without time and rating."""
    rng, size = np.random.default_rng(seed), len(users)
    timestamp, rating = rng.integers(-5, 5, size), rng.integers(1, 6, size).astype(np.float32)
    return Rows(
        np.asarray(users, dtype=np.int32),
        rng.integers(0, 9, size).astype(np.int32),
        rng.integers(1, 9, size).astype(np.float32) / 2,
        np.where(timestamp == 0, NO_TIME, timestamp),
        np.where(rating == 3, NO_RATING, rating),
        text=rng.integers(-(2**63), 2**63 - 1, size) if text else None,
    )


def lists(rows):
    return {name: column.tolist() for name, column in rows.columns.items()}


sorted_users = st.lists(st.integers(0, 6), max_size=40).map(sorted)


@given(sorted_users, st.booleans())
def test_rows_are_read_as_they_were_written(tmp_path_factory, users, text):
    path, rows = tmp_path_factory.mktemp("rows") / "rows.arrow", rows_of(users, text=text)
    blocks = [rows.take(slice(0, 7)), rows.take(slice(7, None))]
    batches = [block.to_batch() for block in blocks]
    with RowsWriter(path, batches[0].schema, compression="lz4") as writer:
        for batch in batches:
            writer.write(batch)
    found = list(read_blocks(path))
    # Empty blocks are left out.
    assert [lists(block) for block in found] == [lists(block) for block in blocks if len(block)]


@given(sorted_users)
def test_unknown_times_and_ratings_are_null_in_a_dataset(tmp_path_factory, users):
    path, rows = tmp_path_factory.mktemp("rows") / "train.arrow", rows_of(users)
    with RowsWriter(path, INDEXED_SCHEMA) as writer:
        writer.write(rows.to_indexed())
    table = open_indexed(path)
    assert table.schema == INDEXED_SCHEMA
    assert table.to_pydict() == {
        "user_index": rows.user.tolist(),
        "item_index": rows.item.tolist(),
        "weight": rows.weight.tolist(),
        "timestamp": [None if time == NO_TIME else time for time in rows.timestamp.tolist()],
        "rating": [None if np.isinf(rating) else rating for rating in rows.rating.tolist()],
    }


def test_the_rows_of_a_dataset_are_mapped_and_not_read(tmp_path):
    path, rows = tmp_path / "train.arrow", rows_of(np.zeros(100_000))
    with RowsWriter(path, INDEXED_SCHEMA) as writer:
        writer.write(rows.to_indexed())
    before = pa.total_allocated_bytes()
    table = open_indexed(path)
    assert table.num_rows == 100_000
    assert pa.total_allocated_bytes() - before < 10_000


@given(sorted_users)
def test_the_first_row_of_each_user_is_found(users):
    expected = [place for place, user in enumerate(users) if users.index(user) == place]
    assert first_of_user(np.array(users, dtype=np.int32)).tolist() == expected


def test_rows_are_taken_with_all_their_columns():
    rows = rows_of([1, 2, 3], text=True)
    taken = rows.take(np.array([False, True, True])).with_weight(np.array([8.0, 9.0]))
    assert lists(taken) == {
        name: [8.0, 9.0] if name == "weight" else column[1:] for name, column in lists(rows).items()
    }
    assert taken.weight.dtype == np.float32


@pytest.mark.parametrize("harm", ["missing", "truncated", "another"])
def test_a_damaged_file_of_rows_is_named(tmp_path, harm):
    path = tmp_path / "train.arrow"
    with RowsWriter(path, INDEXED_SCHEMA) as writer:
        writer.write(rows_of([1]).to_indexed())
    if harm == "missing":
        path.unlink()
    elif harm == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(
        InputError, match=r"train\.arrow must be the Arrow file that was written th"
    ):
        open_indexed(path)


def test_a_file_of_other_columns_is_named(tmp_path):
    path = tmp_path / "train.arrow"
    batch = pa.RecordBatch.from_pydict({"user": [1], "other": [2]})
    with RowsWriter(path, batch.schema) as writer:
        writer.write(batch)
    message = r"train\.arrow must have the columns user_index, .*, but has user, other; make the f"
    with pytest.raises(InputError, match=message):
        open_indexed(path)
