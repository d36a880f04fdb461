"""Lists of served models, asked for as MLflow's server would."""

import json
from functools import partial

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from recsparse.errors import InputError
from recsparse.scoring import pyfunc
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.narrowed import narrowed
from tests.scoring.served import answered, refused


@pytest.fixture(scope="module")
def shelf(trained_folder):
    mlflow.set_tracking_uri(f"sqlite:///{trained_folder / 'mlflow.db'}")
    try:
        return mlflow.pyfunc.load_model("models:/shelf/1")
    finally:
        mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def trained(trained_folder):
    return load_model(trained_folder / "sparse_grid")


@pytest.fixture
def served(shelf):
    return partial(answered, shelf)


def users(*ids):
    return {"dataframe_records": [{"user_id": each} for each in ids]}


def same(rows, expected: pd.DataFrame):
    """Rows of JSON against a frame, ids and ranks exactly."""
    assert [*rows[0]] == [*expected]
    for name in expected:
        values, wanted = [row[name] for row in rows], expected[name].tolist()
        if name.startswith(("score", "share", "explained")):
            np.testing.assert_allclose(values, wanted, rtol=1e-6)
        else:
            assert values == wanted


def test_users_alone_get_lists_in_their_own_order(served, trained):
    same(served(users(7, 3)), trained.recommend([7, 3]))


@pytest.mark.parametrize("form", ["dataframe_split", "inputs"])
def test_users_may_come_in_each_form_of_mlflow(served, trained, form):
    content = {"columns": ["user_id"], "data": [[7], [3]]}
    content = content if form == "dataframe_split" else {"user_id": [7, 3]}
    same(served({form: content, "params": {"k": 2}}), trained.recommend([7, 3], k=2))


@pytest.mark.parametrize(
    "params",
    [
        {"k": 3},
        {"k": 500},
        {"filter_seen": False, "k": 5},
        {"items": [1, 4, 6, 8]},
        {"on_unknown": "popularity", "k": 4},
    ],
)
def test_parameters_mean_what_they_mean_in_python(served, trained, params):
    asked = users(3, 999, 7) | {"params": params}
    same(served(asked), trained.recommend([3, 999, 7], **{"on_unknown": "null"} | params))


def test_a_stranger_has_no_list_unless_something_is_known(served):
    assert served(users(999)) == []
    assert {row["user_id"] for row in served(users(999, 3))} == {3}


@pytest.mark.parametrize(
    "rows", [[4, 6, 2], [{"user_id": 901, "item_id": each} for each in (4, 6, 2)]]
)
def test_a_history_in_the_request_gives_a_stranger_a_list(served, trained, rows):
    history = pd.DataFrame({"user_id": 901, "item_id": [4, 6, 2]})
    found = served(users(901) | {"params": {"history": json.dumps(rows), "k": 6}})
    same(found, trained.recommend([901], k=6, history=history))
    assert not {4, 6, 2} & {row["item_id"] for row in found}


def test_users_with_and_without_a_history_of_the_request_stand_in_one_answer(served, trained):
    rows = [{"user_id": 901, "item_id": 4}, {"user_id": 3, "item_id": 6}]
    found = served(users(7, 901, 999, 3) | {"params": {"history": json.dumps(rows), "k": 2}})
    known = trained.with_history(pd.DataFrame(rows))
    same(found, known.recommend([7, 901, 999, 3], k=2, on_unknown="null"))


def test_reasons_that_are_missing_are_null(served, trained):
    rows = served(users(901, 3) | {"params": {"explain": True, "history": "[]"}})
    expected = trained.recommend([3], explain=True)
    same(rows, expected)
    asked = {"k": 4, "explain": True, "history": '[{"user_id": 901, "item_id": 4}]'}
    (first, *_) = served(users(901) | {"params": asked})
    assert (first["because_1"], first["because_2"], first["share_3"]) == (4, None, None)


def test_an_empty_history_leaves_what_is_known(served, trained):
    same(served(users(3) | {"params": {"history": "[]"}}), trained.recommend([3]))


def test_pairs_of_strangers_are_refused_or_popular_where_that_is_wanted(shelf, trained):
    pairs = pd.DataFrame({"user_id": [3, 999], "item_id": [1, 2]})
    content = {"dataframe_records": pairs.to_dict("records")}
    rows = answered(shelf, content | {"params": {"on_unknown": "popularity"}})
    expected = trained.score(pairs, on_unknown="popularity")
    np.testing.assert_allclose([row["score"] for row in rows], expected, rtol=1e-6)
    status, message = refused(shelf, content | {"params": {"on_unknown": "error"}})
    assert status == 400
    assert "1 of 2 are not; the first is row 1: 999" in message


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (users(3) | {"params": {"k": 0}}, "k must be at least 1, but got 0"),
        (users(3) | {"params": {"k": "many"}}, "long"),
        (users(3) | {"params": {"on_unknown": "guess"}}, "on_unknown must be one of error, null"),
        (users(999) | {"params": {"on_unknown": "error"}}, "the first is row 0: 999"),
        (users(3) | {"params": {"items": [1, 777], "on_unknown": "error"}}, "777"),
        (users(3, 4) | {"params": {"history": "[1, 2]"}}, "whose it is, but the request has 2"),
        (users(3) | {"params": {"history": '[1, "b"]'}}, "JSON list"),
        (users(3) | {"params": {"history": '["b"]'}}, "ids must be of the type int64"),
        (
            {"dataframe_records": [{"user_id": 3, "item_id": 1}], "params": {"k": 3}},
            "k is of lists, but the request has the column 'item_id'",
        ),
        ({"dataframe_records": [{"user_id": "three"}]}, "user_id"),
    ],
)  # fmt: skip
def test_a_bad_request_is_the_clients_mistake_and_says_what_is_wrong(shelf, content, found):
    status, message = refused(shelf, content)
    assert status == 400
    assert found in message


def test_a_parameter_that_there_is_none_of_names_the_nearest(trained_folder):
    model = pyfunc._load_pyfunc(str(trained_folder / "popularity"))
    with pytest.raises(
        InputError, match="no parameter 'filter'; the nearest known is 'filter_seen'"
    ):
        model.predict(pd.DataFrame({"user_id": [3]}), {"filter": True})


def test_the_requests_that_lie_with_the_model_are_answered(shelf, trained_folder):
    file, _ = trained_folder.rglob("requests.json")
    for request in (asked := json.loads(file.read_text())).values():
        assert answered(shelf, request)
    assert [*asked] == ["scores of pairs", "lists of users", "a list by a history"]


def test_a_narrowed_model_knows_some_users_and_the_popularity_of_all(trained):
    few = narrowed(trained, [7, 999, 3, 7])
    assert few.users.ids.to_pylist() == [3, 7]
    assert few.popularity().tolist() == trained.popularity().tolist()
    pd.testing.assert_frame_equal(few.recommend([7, 3]), trained.recommend([7, 3]))
