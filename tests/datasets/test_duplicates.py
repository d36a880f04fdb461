import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.duplicates import table_without_duplicates
from recsparse.datasets.schema import interactions_schema

times = st.none() | st.integers(0, 3)
row = st.tuples(st.integers(0, 2), st.sampled_from(["a", "", "é"]), st.integers(0, 4), times)


def interactions(rows):
    schema = interactions_schema(pa.int64(), pa.string())
    columns = list(zip(*rows, strict=True)) if rows else [()] * 4
    ratings = [float(place) for place in range(len(rows))]
    return pa.table([*map(list, columns), ratings], schema=schema)


def last_by_time(rows):
    """Return the place of the row that stays for each user and item."""
    frame = pd.DataFrame(rows, columns=["user", "item", "weight", "time"])
    frame["time"] = pd.to_numeric(frame["time"]).fillna(-1)
    by_time = frame.reset_index().sort_values(["time", "index"])
    return by_time.groupby(["user", "item"])["index"].last()


@given(st.lists(row, max_size=12))
def test_the_last_row_by_time_stays_in_its_place(rows):
    table = interactions(rows)
    found, count = table_without_duplicates(table, "last")
    expected = sorted(last_by_time(rows))
    assert found.equals(table.take(pa.array(expected, pa.int64())))
    assert found.schema == table.schema
    assert count == len(rows) - len(expected)


@given(st.lists(row, max_size=12))
def test_the_sum_goes_to_the_row_that_stays(rows):
    table = interactions(rows)
    found, count = table_without_duplicates(table, "sum")
    last, _ = table_without_duplicates(table, "last")
    assert found.drop_columns("weight").equals(last.drop_columns("weight"))
    assert found.schema == table.schema
    total = {}
    for user, item, weight, _ in rows:
        total[user, item] = total.get((user, item), 0) + weight
    pairs = zip(found["user_id"].to_pylist(), found["item_id"].to_pylist(), strict=True)
    assert found["weight"].to_pylist() == [total[pair] for pair in pairs]
    assert count == len(rows) - len(total)


@given(st.lists(row, max_size=12))
def test_kept_duplicates_are_counted_alone(rows):
    table = interactions(rows)
    found, count = table_without_duplicates(table, "keep")
    assert found.equals(table)
    assert count == len(rows) - len({(user, item) for user, item, _, _ in rows})


def test_equal_times_leave_the_last_by_order():
    found, count = table_without_duplicates(interactions([(1, "a", 5, 7), (1, "a", 6, 7)]), "last")
    assert (found["weight"].to_pylist(), count) == ([6.0], 1)


def test_many_equal_times_leave_the_last_by_order_too():
    rows = [(place % 7, "a", place, place % 2) for place in range(280)]
    found, _ = table_without_duplicates(interactions(rows), "last")
    assert found["weight"].to_pylist() == sorted(last_by_time(rows))


def test_an_earlier_row_of_a_later_time_wins():
    found, _ = table_without_duplicates(interactions([(1, "a", 5, 9), (1, "a", 6, 7)]), "last")
    assert found["weight"].to_pylist() == [5.0]


def test_a_row_of_known_time_wins_even_before_1970():
    found, _ = table_without_duplicates(interactions([(1, "a", 5, -9), (1, "a", 6, None)]), "last")
    assert found["weight"].to_pylist() == [5.0]


def test_the_table_in_chunks_is_the_table_in_one():
    table = interactions([(1, "a", 5, 9), (2, "a", 1, 9), (1, "a", 6, 7)])
    chunks = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert table_without_duplicates(chunks, "sum")[0].equals(
        table_without_duplicates(table, "sum")[0]
    )
    assert table_without_duplicates(chunks, "sum")[0]["weight"].to_pylist() == [5 + 6, 1]


@pytest.mark.parametrize("keep", ["last", "sum", "keep"])
def test_no_rows_and_one_row_stay(keep):
    for rows in ([], [(1, "a", 5, None)]):
        found, count = table_without_duplicates(interactions(rows), keep)
        assert found.equals(interactions(rows))
        assert count == 0
