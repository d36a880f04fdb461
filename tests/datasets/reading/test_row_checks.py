from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.config.data import LogConfig
from recsparse.datasets.reading.row_checks import REASONS, check_rows
from recsparse.datasets.schema import interactions_schema
from recsparse.errors import SchemaError

WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 10.0, "free": 0.0}
EVENTS = LogConfig(event_weights=WEIGHTS)


def check(config=EVENTS, extra=(), **columns):
    size = len(next(iter(columns.values())))
    ids = {"user_id": list(range(size)), "item_id": [1] * size}
    return check_rows(pa.table({**ids, **columns}), config, extra)


NUMBERS = st.sampled_from([None, -1.0, 0.0, 0.5, 4.0, 4.1, 1e300, np.inf, -np.inf, np.nan])
ROWS = st.tuples(
    st.none() | st.integers(0, 3),
    st.none() | st.sampled_from(["a", "b", "", " \t"]),
    NUMBERS,
    NUMBERS,
    st.none() | st.sampled_from([*WEIGHTS, "other", ""]),
)
KINDS = [pa.int64(), pa.string(), pa.float64(), pa.float64(), pa.string()]
NAMES = ["user_id", "item_id", "weight", "rating", "event"]


def reasons(row):
    """Yield what is wrong with a row, the fault that counts first."""
    with np.errstate(over="ignore"):
        weight, rating = (
            np.float32(unknown if value is None else value)
            for value, unknown in ((row.weight, 1), (row.rating, np.nan))
        )
    faults = {
        "user id is null": row.user_id is None,
        "item id is null": row.item_id is None,
        "item id is blank": row.item_id is not None and not row.item_id.strip(),
        "weight is not finite": not np.isfinite(weight),
        "weight is negative": weight < 0,
        "rating is infinite": np.isinf(rating),
    }
    yield from (name for name, wrong in faults.items() if wrong)


@given(
    st.lists(ROWS, max_size=12),
    st.booleans(),
    st.none() | st.sampled_from([0.5, 4.1]),
    st.booleans(),
)
def test_each_row_is_good_or_counted_as_a_loop_over_rows_does(rows, by_event, lowest, encoded):
    frame = pd.DataFrame(rows, columns=NAMES, dtype=object)
    columns = {
        name: pa.array([row[place] for row in rows], kind, from_pandas=False)
        for place, (name, kind) in enumerate(zip(NAMES, KINDS, strict=True))
    }
    if encoded:
        columns["event"] = columns["event"].dictionary_encode()
    config = LogConfig(event_weights=WEIGHTS if by_event else {}, min_rating=lowest)
    found = check_rows(pa.table(columns), config)
    good, rejected, other, below = [], [], 0, 0
    for row in frame.itertuples():
        if reason := next(reasons(row), None):
            rejected.append(reason)
        elif by_event and row.event not in WEIGHTS:
            other += 1
        elif lowest is not None and not (row.rating is not None and row.rating >= lowest):
            below += 1
        else:
            factor = WEIGHTS[row.event] if by_event else 1
            rating = None if row.rating is None or np.isnan(row.rating) else np.float32(row.rating)
            weight = 1 if row.weight is None else row.weight
            good.append((row.user_id, row.item_id, np.float32(weight * factor), rating))
    names = ("user_id", "item_id", "weight", "rating")
    assert list(zip(*(found.good[name].to_pylist() for name in names), strict=True)) == good
    assert found.rejected["reason"].to_pylist() == rejected
    assert found.reasons == {name: rejected.count(name) for name in set(rejected)}
    assert (found.other_events, found.below_min_rating) == (other, below)
    assert found.rows_read == len(rows) == len(good) + len(rejected) + other + below


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), "dictionary"])
def test_the_weight_of_an_event_multiplies_that_of_its_row(kind):
    frame = pd.DataFrame({"event": ["cart", "view", "purchase", "view"], "weight": [2, 0.5, 1, 0]})
    events = pa.array(frame.event)
    column = events.dictionary_encode() if kind == "dictionary" else events.cast(kind)
    expected = frame.event.map(WEIGHTS)
    assert check(event=column).good["weight"].to_pylist() == expected.tolist()
    found = check(event=column, weight=frame.weight.to_numpy()).good["weight"]
    assert found.type == pa.float32()
    assert found.to_pylist() == (frame.weight * expected).tolist()


def test_rows_of_other_events_and_of_none_are_left_out_and_counted():
    found = check(event=["view", "click", None, "cart", "View", ""])
    assert found.good["user_id"].to_pylist() == [0, 3]
    assert found.other_events == 4
    assert found.rejected.num_rows == found.below_min_rating == 0


def test_events_can_be_numbers():
    config = LogConfig(event_weights={"1": 2.0, "3": 5.0})
    assert check(config, event=[1, 2, 3]).good["weight"].to_pylist() == [2.0, 5.0]


def test_an_event_of_weight_zero_is_kept():
    assert check(event=["free"]).good["weight"].to_pylist() == [0.0]


def test_a_row_of_another_event_is_not_counted_as_rated_too_low_as_well():
    config = LogConfig(event_weights=WEIGHTS, min_rating=3)
    found = check(config, event=["view", "click", "cart", "click"], rating=[4, 5, 1, None])
    assert found.good["user_id"].to_pylist() == [0]
    assert (found.other_events, found.below_min_rating) == (2, 1)


@pytest.mark.parametrize(
    ("ratings", "lowest", "reached"),
    [
        (pa.array([4.1, 4.1 - 1e-12, None, np.nan], from_pandas=False), 4.1, [0]),
        (pa.array([1 - 1e-9, 1.0, 1 + 1e-9]), 1.0, [1, 2]),
        (pa.array([4.1, 4.0, None], pa.float32()), 4.1, [0]),
        (pa.array([4.1, 4.0, None], pa.float16()), 4.1, [0]),
        (pa.array([2**53 + 1, 2**53, 2**53 - 1, None]), 2.0**53, [0, 1]),
        (pa.array([2**63, 5, None], pa.uint64()), 5.5, [0]),
        (pa.array([2**63, 5, None], pa.uint64()), -1.0, [0, 1]),
        (pa.array([Decimal("4.1"), Decimal("4.0999999999"), None]), 4.1, [0]),
        (pa.array([None, None]), 4.1, []),
        (pa.array([True, False, None]), 1.0, [0]),
    ],
)
def test_the_lowest_rating_is_compared_as_exactly_as_the_file_holds_ratings(
    ratings, lowest, reached
):
    found = check(LogConfig(min_rating=lowest), rating=ratings)
    assert found.good["user_id"].to_pylist() == reached
    assert found.below_min_rating == len(ratings) - len(reached)


def test_events_are_not_looked_at_where_none_has_a_weight():
    found = check(LogConfig(), event=["view", None])
    assert found.good["weight"].to_pylist() == [1.0, 1.0]
    assert found.other_events == 0


def test_a_weight_that_an_event_makes_too_large_for_single_precision_is_set_aside():
    config = LogConfig(event_weights={"view": 1e30})
    found = check(config, event=["view", "view"], weight=[1e30, 1.0])
    assert found.reasons == {"weight is not finite": 1}
    assert found.good["user_id"].to_pylist() == [1]
    huge = LogConfig(event_weights={"view": 1e39})
    assert check(huge, event=["view"]).reasons == {"weight is not finite": 1}


def test_a_negative_weight_is_set_aside_though_its_event_weighs_nothing():
    assert check(event=["free", "free"], weight=[-1, 1]).reasons == {"weight is negative": 1}


def test_a_null_weight_is_one_as_is_an_absent_one_and_nan_is_set_aside():
    found = check(LogConfig(), weight=pa.array([None, 2.0, np.nan, np.inf, -1.0]))
    assert found.good["weight"].to_pylist() == [1.0, 2.0]
    assert found.reasons == {"weight is not finite": 2, "weight is negative": 1}
    assert check(EVENTS, event=["cart", "view"], weight=[None, 2]).good["weight"].to_pylist() == [
        3.0, 2.0,
    ]  # fmt: skip
    assert check(LogConfig(), weight=pa.nulls(2)).good["weight"].to_pylist() == [1.0, 1.0]


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0"], ids=repr)
@pytest.mark.parametrize("name", ["user_id", "item_id"])
@pytest.mark.parametrize("encoded", [False, True])
def test_blank_ids_are_set_aside_and_counted(blank, name, encoded):
    ids = pa.array([blank, "a", " b ", None])
    columns = {"user_id": ["a"] * 4, "item_id": ["a"] * 4} | {
        name: ids.dictionary_encode() if encoded else ids
    }
    found = check(LogConfig(), **columns)
    axis = name.removesuffix("_id")
    assert found.good[name].to_pylist() == ["a", " b "]
    assert found.reasons == {f"{axis} id is null": 1, f"{axis} id is blank": 1}


def test_ids_that_are_no_utf8_are_blank_where_they_are_white_space():
    ids = pa.array([b"\xff", b" ", b"a"]).view(pa.string())
    assert check(LogConfig(), item_id=ids).reasons == {"item id is blank": 1}


def test_unknown_ratings_are_null_and_infinite_ones_set_aside():
    found = check(LogConfig(), rating=pa.array([np.nan, None, np.inf, -np.inf, 1e39, 3.5]))
    assert found.good["user_id"].to_pylist() == [0, 1, 5]
    assert found.good["rating"].to_pylist() == [None, None, 3.5]
    assert found.reasons == {"rating is infinite": 3}


def test_further_columns_are_kept_as_text_beside_the_good_rows():
    found = check(LogConfig(), ["part", "number"], weight=[1, -1, 2], part=["a", "b", None],
                  number=[7, 8, 9])  # fmt: skip
    assert found.good.select(["part", "number"]).to_pydict() == {
        "part": ["a", None], "number": ["7", "9"],
    }  # fmt: skip
    assert found.rejected["number"].to_pylist() == [8]


@pytest.mark.parametrize(
    "column", [pa.array([["a"]]), pa.array([{"a": 1}]), pa.array([b"\xff"])], ids=str
)
def test_further_columns_that_are_no_text_are_refused(column):
    with pytest.raises(SchemaError, match=f"'x' must hold text or .*, but holds {column.type}"):
        check(LogConfig(), ["x"], x=column)


def test_all_faults_have_a_reason_of_their_own():
    found = check(
        LogConfig(),
        user_id=[None, "a", " ", "a", "a", "a", "a", "a", "a"],
        item_id=["a", None, "a", "", "a", "a", "a", "a", "a"],
        weight=[1, 1, 1, 1, np.nan, -1, 1, 1, 1],
        timestamp=["2020", "2020", "2020", "2020", "2020", "2020", "x", "-5", "2020"],
        rating=[1, 1, 1, 1, 1, 1, 1, 1, np.inf],
    )
    assert found.rejected["reason"].to_pylist() == list(REASONS)
    assert found.reasons == dict.fromkeys(REASONS, 1)


@pytest.mark.parametrize("kind", ["strings", "numbers"])
def test_no_rows_are_checked_as_well(kind):
    ids = pa.array([], pa.string() if kind == "strings" else pa.int32())
    found = check_rows(pa.table({"user_id": ids, "item_id": ids}), LogConfig())
    kept = pa.string() if kind == "strings" else pa.int64()
    assert found.good.schema == interactions_schema(kept, kept)
    assert found.rows_read == found.good.num_rows == found.rejected.num_rows == 0
    assert found.reasons == {}


def test_ids_that_are_good_are_not_copied():
    table = pa.table({"user_id": ["a", "b"] * 500, "item_id": list(range(1000))})
    good = check_rows(table, LogConfig()).good
    for name in ("user_id", "item_id"):
        pairs = zip(good[name].chunk(0).buffers(), table[name].chunk(0).buffers(), strict=True)
        assert all(one is other is None or one.address == other.address for one, other in pairs)


@pytest.mark.parametrize("name", ["weight", "rating"])
def test_numbers_of_other_types_are_refused(name):
    with pytest.raises(SchemaError, match=f"'{name}' must hold numbers, but holds string; cast it"):
        check(LogConfig(), **{name: ["1"]})


def test_events_of_types_that_are_no_text_are_refused():
    with pytest.raises(SchemaError, match=r"'event' must hold text or integers, but holds list"):
        check(event=pa.array([["view"]]))
