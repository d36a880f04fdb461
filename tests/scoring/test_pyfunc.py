import json
from dataclasses import replace
from functools import partial

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from recsparse.config.linear_models import UserRidgeConfig
from recsparse.errors import InputError
from recsparse.scoring import pyfunc
from recsparse.scoring.model_folder import load_model
from tests.item_features import mixed_features
from tests.scoring.served import answered
from tests.scoring.test_model_folder import train


@pytest.mark.parametrize("address", ["models:/shelf/1", "folder"])
def test_mlflow_loads_and_uses_the_model_without_recsparse(trained_folder, workplace, address):
    mlflow.set_tracking_uri(f"sqlite:///{trained_folder / 'mlflow.db'}")
    pairs = pd.DataFrame({"user_id": [3, 0, 3], "item_id": [1, 2, 0]})
    expected = load_model(trained_folder / "sparse_grid").score(pairs)
    try:
        if address == "folder":
            scores = pyfunc._load_pyfunc(str(trained_folder / "sparse_grid")).predict(pairs, {})
        else:
            scores = mlflow.pyfunc.load_model(address).predict(pairs)
    finally:
        mlflow.set_tracking_uri(None)
    assert list(scores.columns) == ["score"]
    assert scores["score"].tolist() == expected.tolist()


def test_unknown_ids_have_no_score(trained_folder):
    model = pyfunc._load_pyfunc(str(trained_folder / "popularity"))
    scores = model.predict(pd.DataFrame({"user_id": [0, 999], "item_id": [999, 0]}))["score"]
    assert scores.tolist() == [None, None]


@pytest.fixture
def served(trained_folder):
    """What `mlflow models serve` does with a request."""
    mlflow.set_tracking_uri(f"sqlite:///{trained_folder / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/shelf/1")

    try:
        yield partial(answered, model)
    finally:
        mlflow.set_tracking_uri(None)


@pytest.mark.parametrize("pairs", [[[3, 1], [999, 1], [0, 999], [0, 2]], [[999, 999]], [[3, 1]]])
@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs"])
def test_a_served_model_answers_null_for_what_it_does_not_know(served, trained_folder, pairs, form):
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    content = {
        "dataframe_split": frame.to_dict("split"),
        "dataframe_records": frame.to_dict("records"),
        "inputs": frame.to_dict("list"),
    }[form]
    scores = [row["score"] for row in served({form: content})]
    expected = load_model(trained_folder / "sparse_grid").score(frame, on_unknown="null")
    assert scores == [None if np.isnan(score) else pytest.approx(score) for score in expected]


def test_scores_of_known_ids_stay_numbers(trained_folder):
    model = pyfunc._load_pyfunc(str(trained_folder / "popularity"))
    scores = model.predict(pd.DataFrame({"user_id": [0, 1], "item_id": [1, 0]}))["score"]
    assert scores.dtype == np.float32
    assert len(model.predict(pd.DataFrame({"user_id": [], "item_id": []}, dtype="int64"))) == 0


@pytest.mark.parametrize(
    "history", ["no JSON", "3", "[[3], 4]", '{"user_id": 3}', '[{"user_id": 3}, 4]']
)
def test_a_history_that_is_no_list_of_rows_is_refused(trained_folder, history):
    model = pyfunc._load_pyfunc(str(trained_folder / "popularity"))
    pairs = pd.DataFrame({"user_id": [0], "item_id": [0]})
    with pytest.raises(InputError, match="must be a JSON list of objects"):
        model.predict(pairs, {"history": history})
    with pytest.raises(InputError, match="must have the column 'item_id'"):
        model.predict(pairs, {"history": '[{"user_id": 3}]'})


def test_rows_of_a_history_may_lack_what_is_optional(trained_folder):
    model = pyfunc._load_pyfunc(str(trained_folder / "sparse_grid"))
    pairs = pd.DataFrame({"user_id": [901, 902, 3], "item_id": [1, 2, 3]})
    rows = [{"user_id": 901, "item_id": 4}, {"item_id": 5, "user_id": 902, "weight": 2.0}]
    found = model.predict(pairs, {"history": json.dumps(rows)})["score"]
    history = pd.DataFrame({"user_id": [901, 902], "item_id": [4, 5], "weight": [1.0, 2.0]})
    expected = load_model(trained_folder / "sparse_grid").with_history(history).score(pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_request_may_send_a_history_to_a_server(served, trained_folder):
    rows = [{"user_id": 901, "item_id": 4}]
    frame = pd.DataFrame({"user_id": [901], "item_id": [1]})
    content = {"dataframe_split": frame.to_dict("split"), "params": {"history": json.dumps(rows)}}
    (answer,) = served(content)
    model = load_model(trained_folder / "sparse_grid").with_history(pd.DataFrame(rows))
    assert answer["score"] == pytest.approx(model.score(frame)[0])


def test_a_history_joins_the_features_of_its_user():
    users = mixed_features(9)
    trained = replace(train(UserRidgeConfig()), user_features=users)
    model = pyfunc.PyFuncModel(trained)
    pairs = pd.DataFrame({"user_id": ["user 2", "user 7"], "item_id": [50, 51]})
    rows = json.dumps([{"user_id": "user 2", "item_id": 51, "timestamp": 5}])
    found = model.predict(pairs, {"history": rows})["score"]
    # user_ridge reads nothing but features.
    assert found.tolist() == trained.score(pairs).tolist()
