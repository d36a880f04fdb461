"""Times of histories: they reach the model, follow new rows, and come back from the folder."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import PopularityConfig
from recsparse.datasets.indexed_rows import NO_TIME
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.models.linear.popularity import Popularity
from recsparse.models.protocol.recommender import Recommender
from recsparse.scoring.model_folder import load_model, save_model
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory


class LastFirst(Recommender):
    """Scores an item by the time at which the user had it, 0 without."""

    kind = "last_first"

    def __init__(self, num_items):
        super().__init__(PopularityConfig())
        self.num_items = num_items

    def score_batch(self, history, times=None):
        assert (history.indptr == times.indptr).all()
        assert (history.indices == times.indices).all()
        return torch.from_numpy(times.toarray().astype(np.float32))

    def fit(self, interactions, context=None):
        return self

    def state(self):
        return {}

    @classmethod
    def from_state(cls, config, state):
        raise NotImplementedError


TIMES = np.array([[5, 0, 9], [0, 7, 3]])


def model_of(model=None):
    times = csr_matrix(TIMES)
    history = csr_matrix((np.ones(times.nnz, np.float32), times.indices, times.indptr), times.shape)
    users, items = Vocabulary(pa.array(["ann", "bob"])), Vocabulary(pa.array([1, 2, 3]))
    return TrainedModel(model or LastFirst(3), users, items, RowsInMemory(history, times))


def test_pairs_are_scored_with_the_times_of_their_users():
    pairs = pd.DataFrame({"user_id": ["bob", "ann", "bob"], "item_id": [2, 3, 3]})
    assert model_of().score(pairs).tolist() == [7, 9, 3]


def test_unknown_users_among_the_others_shift_no_times():
    found = model_of().recommend(
        ["ann", "zoe", "bob"], k=2, filter_seen=False, on_unknown="popularity"
    )
    known = found[found["user_id"] != "zoe"]
    assert known["item_id"].tolist() == [3, 1, 2, 3]
    assert known["score"].tolist() == [9, 5, 7, 3]


def test_new_rows_bring_their_times_and_the_last_of_a_cell_counts():
    rows = pd.DataFrame(
        {
            "user_id": ["zoe", "bob", "zoe", "zoe"],
            "item_id": [2, 1, 3, 2],
            "timestamp": [40, 60, 50, 30],
        }
    )
    model = model_of().with_history(rows)
    assert model.users.ids.to_pylist() == ["ann", "bob", "zoe"]
    assert model.times.toarray().tolist() == [[5, 0, 9], [60, 0, 0], [0, 40, 50]]
    assert model.history.toarray().tolist() == [[1, 0, 1], [1, 0, 0], [0, 2, 1]]


def test_rows_without_a_time_come_in_their_order():
    rows = pa.table({"user_id": ["zoe", "zoe", "zoe"], "item_id": [3, 1, 2]})
    model = model_of().with_history(rows)
    assert model.times.toarray()[2].tolist() == [1, 2, 0]
    # A cell of time 0 is a cell all the same.
    assert model.times[2].nnz == model.history[2].nnz == 3


def test_times_that_are_no_whole_seconds_are_refused():
    rows = pa.table({"user_id": ["zoe", "zoe"], "item_id": [3, 1], "timestamp": [1.5, 2.0]})
    with pytest.raises(InputError, match=r"timestamp must hold whole seconds .* of type double"):
        model_of().with_history(rows)


def test_rows_of_unknown_time_come_before_the_others():
    rows = pa.table({"user_id": ["zoe"] * 3, "item_id": [3, 1, 2], "timestamp": [-5, None, 4]})
    model = model_of().with_history(rows)
    assert model.times.toarray()[2].tolist() == [NO_TIME, 4, -5]


def test_a_model_folder_keeps_the_times(tmp_path):
    log = csr_matrix(np.ones((2, 3), np.float32))
    model = model_of(Popularity(PopularityConfig()).fit(log))
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.times.toarray().tolist() == TIMES.tolist()
    assert again.times.dtype == np.int64
    save_model(
        TrainedModel(model.model, model.users, model.items, RowsInMemory(model.history)),
        tmp_path / "no",
    )
    assert load_model(tmp_path / "no").times is None
