import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError, UnknownIdError
from recsparse.scoring.request_columns import (
    as_table,
    id_column,
    refuse_unknown,
    slices,
    time_column,
    weight_column,
)


def test_a_column_is_one_array_however_it_is_chunked():
    table = pa.table({"user_id": pa.chunked_array([["b"], ["a", "b"]])})
    assert id_column(table, "user_id").equals(pa.array(["b", "a", "b"]))


def test_a_missing_column_names_the_nearest_one():
    table = pa.table({"userid": [1], "item_id": [2]})
    with pytest.raises(InputError, match=r"'user_id', but it has userid, item_id; .* 'userid'"):
        id_column(table, "user_id")
    with pytest.raises(InputError, match="but it has none"):
        id_column(pa.table({}), "user_id")


def test_weights_are_one_where_there_are_none():
    assert weight_column(pa.table({"user_id": [1, 2]})).tolist() == [1.0, 1.0]


def test_weights_are_float32_whatever_they_were():
    weights = weight_column(pa.table({"weight": pa.chunked_array([[2], [0]])}))
    assert weights.dtype == np.float32
    assert weights.tolist() == [2.0, 0.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, None, float("nan")], "1 of 3 are not; the first is row 2: nan"),
        ([1e39], "1 of 1 are not; the first is row 0: inf"),
        ([1.0, float("inf")], "1 of 2 are not; the first is row 1: inf"),
        ([-1.0, -2.0], "2 of 2 are not; the first is row 0: -1.0"),
    ],
)
def test_weights_that_no_log_may_hold_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        weight_column(pa.table({"weight": pa.array(weights, pa.float64())}))


@pytest.mark.parametrize(
    "rows",
    [
        pa.table({"weight": [2.0, None]}),
        pa.table({"weight": pa.array([2, None])}),
        pd.DataFrame({"weight": pd.array([2, None], "Int64")}),
        pd.DataFrame({"weight": pd.array([2, None], "float64[pyarrow]")}),
        pd.DataFrame({"weight": pd.Series([2, None], dtype=object)}),
    ],
    ids=["floats", "integers", "nullable", "pyarrow", "objects"],
)
def test_a_null_weight_is_one(rows):
    assert weight_column(rows).tolist() == [2.0, 1.0]


def test_a_column_of_nulls_weighs_one_everywhere():
    assert weight_column(pa.table({"weight": pa.nulls(2)})).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", [pd.Series, pa.array], ids=["pandas", "Arrow"])
def test_nan_is_no_null_weight(kind):
    weight = kind([1.0, float("nan")])
    rows = pa.table({"weight": weight}) if kind is pa.array else pd.DataFrame({"weight": weight})
    with pytest.raises(InputError, match="1 of 2 are not; the first is row 1: nan"):
        weight_column(rows)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match=r"weights must be numbers, but .*; cast them"):
        weight_column(pd.DataFrame({"weight": ["heavy"]}))


def test_a_batch_of_arrow_is_a_table():
    batch = pa.record_batch({"user_id": ["a"]})
    assert as_table(batch).equals(pa.table({"user_id": ["a"]}))
    assert id_column(batch, "user_id").to_pylist() == ["a"]


def test_times_of_rows_in_another_unit_than_seconds_are_refused():
    with pytest.raises(InputError, match="before the year 2100, but the largest is 1767225600000"):
        time_column(pa.table({"timestamp": [None, 1_767_225_600_000]}))
    assert time_column(pd.DataFrame({"timestamp": [5, 4]})).tolist() == [5, 4]


def test_known_ids_are_not_refused():
    refuse_unknown("user_id", pa.array([4, 5]), np.array([1, 0]))
    refuse_unknown("user_id", pa.array([], pa.int64()), np.array([], dtype=np.int64))


def test_unknown_ids_are_counted_and_the_first_is_named():
    with pytest.raises(
        UnknownIdError, match=r"every item_id .*2 of 3 are not; the first is row 1: 'b'"
    ):
        refuse_unknown("item_id", pa.array(["a", "b", "c"]), np.array([0, -1, -1]))


@pytest.mark.parametrize(
    ("name", "cure", "no_cure"),
    [("item_id", "--new-items", "--history"), ("user_id", "--history", "--new-items")],
)
def test_the_cure_is_that_of_the_kind_of_id(name, cure, no_cure):
    with pytest.raises(UnknownIdError, match=cure) as raised:
        refuse_unknown(name, pa.array([7]), np.array([-1]))
    assert no_cure not in str(raised.value)


@given(st.integers(0, 20), st.integers(1, 7))
def test_slices_cover_a_sequence_in_order(length, size):
    sequence = list(range(length))
    pieces = [sequence[piece] for piece in slices(length, size)]
    assert [value for piece in pieces for value in piece] == sequence
    assert [len(piece) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
