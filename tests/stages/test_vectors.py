import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import recsparse
from recsparse.errors import ConfigError
from recsparse.stages.start_of_scores import HistoryOptions
from recsparse.stages.vectors import axis_named


@pytest.fixture
def model(trained_folder):
    return trained_folder / "popularity"


def test_without_an_output_they_are_a_frame(model):
    items = recsparse.vectors(model, of="item")
    assert isinstance(items, pd.DataFrame)
    shares = np.stack(items["vector"])[:, 0]
    assert shares.sum() == pytest.approx(1, rel=1e-5)
    assert recsparse.vectors(model, ids=[0, 3])["user_id"].tolist() == [0, 3]


def test_users_of_a_history_are_folded_in(model, workplace):
    history = pd.DataFrame({"user_id": [901, 901], "item_id": [4, 6]})
    start = HistoryOptions(history=history)
    assert recsparse.vectors(model, "users.parquet", start=start) == 1
    found = pq.read_table("users.parquet").to_pydict()
    assert found == {"user_id": [901], "vector": [[1.0]]}


def test_an_axis_is_one_of_two():
    assert axis_named("item") == "item"
    with pytest.raises(ConfigError, match="--of must be user or item, but is 'items'"):
        axis_named("items")
