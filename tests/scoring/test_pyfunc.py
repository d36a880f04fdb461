import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from recsparse.scoring import pyfunc
from recsparse.scoring.model_folder import load_model


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
    assert np.isnan(scores).all()
