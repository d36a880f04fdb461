from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsparse.evaluation.comparison_tables import (
    compared_on,
    comparison_table,
    counts_table,
    group_tables,
    per_user_table,
)
from tests.evaluation.results import METRIC, PART, counted, result


def test_the_comparison_has_users_means_errors_and_coverage():
    table = comparison_table(
        {"a": result([0.1, 0.5, np.nan]), "b": result([0.2, 0.2, np.nan], 1.0)}
    )
    assert table.columns.tolist() == [
        *("users", METRIC, f"{METRIC} ±", "mrr@10", "mrr@10 ±", "coverage@10"),
    ]
    assert table.index.name == "model"
    assert table.loc["a"].to_dict() == pytest.approx(
        {
            "users": 2,
            METRIC: (0.1 + 0.5) / 2,
            # Half the distance of two values is their standard error.
            f"{METRIC} ±": (0.5 - 0.1) / 2,
            "mrr@10": (0.1 + 0.5) / 2 / 2,
            "mrr@10 ±": (0.5 - 0.1) / 2 / 2,
            "coverage@10": 0.5,
        }
    )
    assert table.loc["b", f"{METRIC} ±"] == 0.0
    assert pd.api.types.is_integer_dtype(table["users"])


def test_what_is_counted_stands_behind_the_figures_of_each_model():
    table = comparison_table({"a": counted([0.5, 0.0, 1.0], [False, True, True])})
    assert table.columns.tolist()[-2:] == ["unknown items", "rows of unknown items"]
    assert table.loc["a"].tolist()[-2:] == [1, 4]
    assert counts_table(PART).to_dict("index") == {
        "test part": {"users": 5, "rows": 9},
        "users without training rows": {"users": 2, "rows": 3},
        "1 items without training rows": {"users": 2, "rows": 4},
        "evaluated": {"users": 3, "rows": 5},
        "evaluated without a history before the part": {"users": 1, "rows": 2},
    }


def test_groups_are_tables_of_their_own_where_there_are_two():
    some = {"a": counted([0.5, 0.0, 1.0], [False, True, True])}
    tables = group_tables(some)
    assert {name: table.loc["a", "users"] for name, table in tables.items()} == {
        "known users": 1,
        "new users": 2,
    }
    assert group_tables({"a": counted([0.5], [True])}) == group_tables({}) == {}


@pytest.mark.parametrize(
    ("catalogue", "shown"),
    [
        ("known", "known items"),
        ("new", "items without training rows among themselves"),
        (None, "full catalogue"),
    ],
)
def test_a_caption_says_which_items_were_ranked(catalogue, shown):
    assert compared_on(replace(result([0.5]), catalogue=catalogue)) == f"test part, {shown}"


def test_lists_are_counted_where_users_have_several():
    counts = replace(PART, evaluated_lists=1204)
    assert counts_table(counts).loc["evaluated by 1,204 lists"].tolist() == [3, 5]


@pytest.mark.parametrize("ids", [pa.array([7, 3]), pa.array(["x", "y"])])
def test_figures_of_users_have_their_ids(ids):
    known = {"history_lengths": np.array([4, 0]), "is_new": np.array([False, True])}
    some = replace(result([0.5, np.nan]), user_ids=ids, **known)
    table = per_user_table({"a": some, "b": some})
    expected = {
        "model": ["a", "a", "b", "b"],
        "user_index": [0, 1] * 2,
        "user_id": ids.to_pylist() * 2,
        "history_length": [4, 0] * 2,
        "is_new": [False, True] * 2,
        METRIC: [0.5, np.nan] * 2,
        "mrr@10": [0.25, np.nan] * 2,
    }
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected), check_dtype=False)


def test_figures_of_users_without_ids_are_numbered():
    table = per_user_table({"a": result([0.5])})
    assert table.columns.tolist() == ["model", "user_index", METRIC, "mrr@10"]
