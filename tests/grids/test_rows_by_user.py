import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.grids import rows_by_user as rows_of_users
from recsparse.grids.rows_by_user import RowsByUser


@given(
    users=st.lists(st.integers(0, 6), max_size=30),
    chunk=st.integers(1, 9),
    wanted=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
)
def test_the_rows_of_some_users_are_all_of_theirs_in_their_order(users, chunk, wanted):
    users = sorted(users)
    table = pa.table({"user_index": pa.array(users, pa.int32()), "number": range(len(users))})
    table = pa.Table.from_batches(table.to_batches(max_chunksize=chunk), schema=table.schema)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_of_users, "CHUNK_ROWS", 4)
        by_user = RowsByUser.of(table, 5, ["number"])
    assert by_user.num_users == max([4, *users]) + 1
    rows, place = by_user.take(np.array(wanted))
    expected = [(number, wanted.index(user)) for number, user in enumerate(users) if user in wanted]
    found = zip(rows["number"].to_pylist(), place.tolist(), strict=True)
    assert list(found) == expected


def test_a_table_without_rows_has_users_without_rows():
    table = pa.table({"user_index": pa.array([], pa.int32())})
    by_user = RowsByUser.of(table, 3, ["user_index"])
    rows, place = by_user.take(np.array([2, 0]))
    assert (rows.num_rows, place.tolist()) == (0, [])
