import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.reading.merged_batches import merged


def batch(numbers):
    return pa.record_batch({"a": pa.array(numbers, pa.int64())})


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=6), st.integers(1, 7))
def test_rows_stay_in_order_in_tables_of_no_more_rows_than_asked(lists, most):
    tables = list(merged(map(batch, lists), most, 2**20))
    assert [n for table in tables for n in table["a"].to_pylist()] == [
        n for some in lists for n in some
    ]
    assert all(0 < table.num_rows <= most for table in tables)


def test_a_table_has_no_more_bytes_than_asked_unless_one_batch_has():
    tables = list(merged([batch([1]), batch([2]), batch([3, 4, 5])], 100, 16))
    assert [table["a"].to_pylist() for table in tables] == [[1, 2], [3, 4, 5]]
