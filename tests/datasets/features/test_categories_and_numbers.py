import decimal
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.datasets.features.categories_and_numbers import (
    CategoryFeatures,
    NumberFeatures,
    category_tokens,
    numbers_of,
)
from recsparse.errors import SchemaError

VALUES = st.none() | st.floats(-1e6, 1e6, width=32)


def categories(num_train, num_ids=None, **columns):
    table = pa.table(columns)
    tokens = category_tokens(table, table.column_names)
    chunks = [(np.array([row]), [tokens[row]]) for row in range(table.num_rows)]
    return CategoryFeatures.fit(reversed(chunks), num_train, num_ids or table.num_rows)


def numbers(num_train, **columns):
    table = pa.table(columns)
    return NumberFeatures.fit(numbers_of(table, table.column_names), table.column_names, num_train)


@given(
    st.lists(st.tuples(*[st.none() | st.sampled_from(["b", "a", "ä"])] * 2), min_size=1, max_size=9)
)
def test_categories_are_the_dummies_of_pandas(rows):
    frame = pd.DataFrame(rows, columns=["kind", "brand"], dtype=object)
    found = categories(
        len(rows),
        **{name: pa.array(frame[name], pa.string()) for name in frame},
    )
    dummies = pd.get_dummies(frame, prefix_sep="=", dtype=float)
    expected = dummies[sorted(dummies.columns)] if len(dummies.columns) else dummies
    assert list(found.names) == expected.columns.tolist()
    assert found.cells.toarray().tolist() == expected.to_numpy(float).tolist()
    assert found.cells.dtype == np.float32


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=1, max_size=6))
def test_an_id_is_in_every_category_of_its_list_once(rows):
    found = categories(len(rows), genres=pa.array(rows, pa.list_(pa.string())))
    names = sorted({value for row in rows for value in row})
    assert list(found.names) == [f"genres={name}" for name in names]
    expected = [[float(name in row) for name in names] for row in rows]
    assert found.cells.toarray().tolist() == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["x", None], pa.large_string()), "x"),
        (pa.array(["x", None]).cast(pa.string_view()), "x"),
        (pa.array(["x", None]).dictionary_encode(), "x"),
        (pa.array([7, None], pa.uint8()), "7"),
        (pa.array([True, None]), "true"),
        (pa.array([["x"], None], pa.large_list(pa.string())), "x"),
        (pa.array([["x", None], []], pa.list_(pa.string())), "x"),
        (pa.array([[7], None], pa.list_(pa.int16())), "7"),
    ],
)
def test_every_way_to_store_categories_is_the_same(column, expected):
    assert category_tokens(pa.table({"c": column}), ["c"]) == [[f"c={expected}"], []]


def test_a_column_of_nulls_has_no_category():
    found = categories(2, kind=pa.nulls(2))
    assert (found.names, found.cells.shape) == ((), (2, 0))


def test_categories_of_unseen_ids_alone_are_left_out():
    found = categories(2, kind=["a", "b", "planted", "a"])
    assert found.names == ("kind=a", "kind=b")
    assert found.cells.toarray().tolist() == [[1, 0], [0, 1], [0, 0], [1, 0]]


def test_ids_that_do_not_come_have_no_category():
    assert categories(1, num_ids=3, kind=["a"]).cells.toarray().tolist() == [[1], [0], [0]]


NESTED = [
    (pa.array([{"a": 1}]), "take it apart into columns"),
    (pa.array([[["a"]]]), "take it apart into columns"),
    (pa.array([[{"a": 1}]]), "take it apart into columns"),
    (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "take it apart into columns"),
]


@pytest.mark.parametrize(
    ("column", "cure"),
    [
        (pa.array([0.5]), "name it among the numbers"),
        (pa.array([[0.5]]), "name it among the vectors"),
        (pa.array([b"a"]), "cast it"),
        *NESTED,
    ],
)
def test_what_is_no_category_is_refused(column, cure):
    found = re.escape(str(column.type))
    message = rf"'c' of the table must hold categories .* but holds {found}; {cure}"
    with pytest.raises(SchemaError, match=message):
        category_tokens(pa.table({"c": column}), ["c"])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=9))
def test_numbers_are_the_z_scores_of_pandas(rows):
    frame = pd.DataFrame(rows, columns=["price", "year"], dtype=np.float64)
    table = {name: pa.array(frame[name], pa.float64(), from_pandas=True) for name in frame}
    found = numbers(len(rows), **table)
    deviation = frame.std(ddof=0).where(frame.nunique() > 1, 1.0)
    expected = ((frame - frame.mean()) / deviation).fillna(0.0)
    np.testing.assert_allclose(found.values[:, :2], expected, rtol=1e-4, atol=1e-4)
    missing = frame.isna()[[name for name in frame if frame[name].isna().any()]]
    assert found.names == (*frame, *(f"{name} is missing" for name in missing))
    assert found.values[:, 2:].tolist() == missing.to_numpy(float).tolist()
    assert found.values.dtype == np.float32


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -3.3, 0.0])
def test_equal_numbers_are_zero(value):
    # Their mean, in floating point, is another number: 3 × 0.1 is more than 0.3.
    found = numbers(3, price=[value, value, value, value + 1])
    assert found.scale.tolist() == [1]
    np.testing.assert_allclose(found.values.ravel(), [0, 0, 0, 1], atol=1e-6)


def test_numbers_of_unseen_ids_move_no_mean_and_have_no_column_for_their_gaps():
    seen = numbers(3, price=[1.0, 2.0, 3.0])
    found = numbers(3, price=[1.0, 2.0, 3.0, 1e9, None])
    assert (found.names, found.mean.tolist(), found.scale.tolist()) == (
        ("price",), [2.0], [np.sqrt(2 / 3)],
    )  # fmt: skip
    assert found.values[:3].tolist() == seen.values.tolist()
    assert found.values[3:, 0].tolist() == [pytest.approx((1e9 - 2) / np.sqrt(2 / 3)), 0.0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([7, None], pa.int8()), 7),
        (pa.array([2**64 - 1, None], pa.uint64()), 2.0**64),
        (pa.array([True, None]), 1),
        (pa.array([decimal.Decimal("1.50"), None]), 1.5),
        (pa.array([1.5, float("nan")], pa.float16()), 1.5),
        (pa.array([1.5, float("inf")]), 1.5),
        (pa.array([1.5, -1e39]), 1.5),  # a mark of what is missing, and too large for features
        (pa.array([7, None]).dictionary_encode(), 7),
    ],
)
def test_every_way_to_store_numbers_is_the_same(column, expected):
    found = numbers_of(pa.table({"n": column}), ["n"])
    np.testing.assert_array_equal(found, [[expected], [np.nan]])


def test_a_column_of_nulls_is_missing_everywhere():
    found = numbers(2, price=pa.nulls(2))
    assert found.names == ("price", "price is missing")
    assert found.values.tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("column", "cure"),
    [
        (pa.array(["1"]), "name it among the categories"),
        (pa.array([["1"]]), "name it among the categories"),
        (pa.array([[1]]), "name it among the vectors"),
        (pa.array([1], pa.date32()), "cast it"),
        *NESTED,
    ],
)
def test_what_is_no_number_is_refused(column, cure):
    found = re.escape(str(column.type))
    with pytest.raises(SchemaError, match=rf"must hold numbers, but holds {found}; {cure}"):
        numbers_of(pa.table({"n": column}), ["n"])


def test_ages_and_jobs_of_movielens_are_those_of_pandas(real_data):
    frame = pd.read_parquet(real_data / "movielens-1m" / "users.parquet")
    found = numbers(len(frame), age=pa.array(frame["age"]))
    expected = (frame["age"] - frame["age"].mean()) / frame["age"].std(ddof=0)
    np.testing.assert_allclose(found.values[:, 0], expected, rtol=1e-5)
    jobs = categories(len(frame), occupation=pa.array(frame["occupation"]))
    dummies = pd.get_dummies(frame["occupation"].astype(str), dtype=float)
    order = [f"occupation={name}" for name in dummies.columns]
    assert list(jobs.names) == order
    assert (jobs.cells.toarray() == dummies.to_numpy()).all()
