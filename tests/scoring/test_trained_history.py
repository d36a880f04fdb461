import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsparse.errors import InputError
from tests.scoring.naive import as_dicts, naive_list, random_model, rows_of


@given(st.integers(0, 99), st.booleans(), st.data())
def test_a_history_replaces_what_is_known_of_its_users_and_adds_new_ones(seed, weighted, data):
    model = random_model(4, 5, seed)
    pairs = data.draw(
        st.lists(st.tuples(st.integers(9, 15), st.integers(500, 504)), min_size=1, max_size=8)
    )
    history = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    if weighted:
        history["weight"] = np.arange(1.0, len(pairs) + 1)
    histories = as_dicts(model) | {user: {} for user, _ in pairs}
    for place, (user, item) in enumerate(pairs):
        weight = place + 1.0 if weighted else 1.0
        histories[user][item] = histories[user].get(item, 0.0) + weight
    folded = model.with_history(history)
    assert as_dicts(folded) == dict(sorted(histories.items()))
    users = list(dict.fromkeys(user for user, _ in pairs))
    expected = [row for user in users for row in naive_list(model, histories, user, 3)]
    assert rows_of(model.recommend(history=history, k=3)) == expected
    assert rows_of(model.recommend(users[:1], history=pa.Table.from_pandas(history), k=3)) == (
        naive_list(model, histories, users[0], 3)
    )
    assert len(model.users) == 4


def test_new_users_with_text_for_an_id_are_folded_in():
    model = random_model(2, 3, seed=0, names=str)
    lists = model.recommend(history=pd.DataFrame({"user_id": ["new"], "item_id": ["501"]}), k=3)
    assert lists["user_id"].tolist() == ["new", "new"]
    assert set(lists["item_id"]) == {"500", "502"}


def test_rows_of_unknown_items_are_left_out_and_told(caplog):
    model = random_model(2, 3, seed=0)
    history = pd.DataFrame({"user_id": [77, 77, 78], "item_id": [501, 999, 999]})
    with caplog.at_level(logging.WARNING):
        folded = model.with_history(history)
    assert "2 of 3 history rows have unknown items" in caplog.text
    assert {user: as_dicts(folded)[user] for user in (77, 78)} == {77: {501: 1.0}, 78: {}}


def test_a_row_of_weight_zero_has_been_seen():
    model = random_model(2, 3, seed=0)
    history = pd.DataFrame({"user_id": [77, 77], "item_id": [500, 501], "weight": [0.0, 1.0]})
    assert model.recommend([77], history=history)["item_id"].tolist() == [502]


def test_a_history_of_no_rows_changes_nothing():
    model = random_model(2, 3, seed=0)
    nothing = pa.table({"user_id": pa.array([], pa.int64()), "item_id": pa.array([], pa.int64())})
    assert as_dicts(model.with_history(nothing)) == as_dicts(model)
    assert len(model.recommend(history=nothing)) == 0


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({"user_id": ["a"], "item_id": [501]}, "ids must be of the type int64"),
        ({"user_id": [1], "item_id": ["a"]}, "ids must be of the type int64"),
        ({"user_id": pd.array([None], "Int64"), "item_id": [501]}, "ids must not be null or blank"),
        ({"user_id": ["", "a"], "item_id": ["b", "b"]}, "1 of 2 rows of the history have none"),
        ({"user_id": [1], "item_id": [501], "weight": [np.nan]}, "weights must be finite"),
        ({"user_id": [1], "item": [501]}, "must have the column 'item_id'"),
        ({"user": [1], "item_id": [501]}, "must have the column 'user_id'"),
    ],
)
def test_a_history_that_breaks_a_rule_is_refused(history, message):
    with pytest.raises(InputError, match=message):
        random_model(2, 3, seed=0).recommend(history=pd.DataFrame(history))
