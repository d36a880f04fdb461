"""Scores and lists by loops over dictionaries, and a model that is small enough to check so."""

import numpy as np
import pyarrow as pa
import torch
from scipy.sparse import csr_matrix

from recsparse.config.linear_models import PopularityConfig
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.models.protocol.recommender import Recommender
from recsparse.scoring.trained import TrainedModel
from recsparse.scoring.user_rows import RowsInMemory

LISTED = ["user_id", "item_id", "rank", "score"]


class Linear(Recommender):
    """Adds up fixed item-item weights; small whole numbers, so that there are ties."""

    def __init__(self, weights):
        super().__init__(PopularityConfig())
        self.weights, self.num_items = weights, len(weights)

    def score_batch(self, history, times=None):
        return torch.from_numpy((self._checked_history(history) @ self.weights).astype(np.float32))

    def fit(self, interactions, context=None):
        return self

    def state(self):
        return {"weights": torch.from_numpy(self.weights)}

    @classmethod
    def from_state(cls, config, state):
        raise NotImplementedError


def random_model(num_users, num_items, seed, names=int):
    rng = np.random.default_rng(seed)
    cells = rng.random((num_users, num_items)) < 0.4
    history = csr_matrix(np.where(cells, rng.integers(1, 4, cells.shape), 0).astype(np.float32))
    weights = rng.integers(0, 3, (num_items, num_items)).astype(np.float32)
    users = Vocabulary.fit(pa.array([names(10 + user) for user in range(num_users)]))
    items = Vocabulary.fit(pa.array([names(500 + item) for item in range(num_items)]))
    return TrainedModel(Linear(weights), users, items, RowsInMemory(history))


def as_dicts(model):
    """The histories as one dictionary a user: item id to weight."""
    dense, items = model.history.toarray(), model.items.ids.to_pylist()
    return {
        user: {item: w for item, w in zip(items, row, strict=True) if w}
        for user, row in zip(model.users.ids.to_pylist(), dense, strict=True)
    }


def naive_popularity(model):
    """The share of each item by recent rows, those of 90 days; older ones count a hundredth."""
    totals = dict.fromkeys(model.items.ids.to_pylist(), 0.0)
    cells = model.history.tocoo()
    times = None if model.times is None else model.times.toarray()
    last = None if times is None else max(times[cells.row, cells.col], default=0)
    for user, place, weight in zip(cells.row, cells.col, cells.data, strict=True):
        is_recent = times is None or times[user, place] >= last - 90 * 24 * 3600
        totals[model.items.ids[int(place)].as_py()] += weight * (1 if is_recent else 0.01)
    whole = sum(totals.values())
    return {item: np.float32(total / whole if whole else 0) for item, total in totals.items()}


def naive_score(model, histories, user, item):
    if not histories[user]:
        return naive_popularity(model)[item]
    items = model.items.ids.to_pylist()
    return sum(
        weight * model.model.weights[items.index(seen), items.index(item)]
        for seen, weight in histories[user].items()
    )


def naive_list(model, histories, user, k, filter_seen=True, allowed=None):
    wanted = [
        item
        for item in model.items.ids.to_pylist()
        if not (filter_seen and item in histories[user]) and (allowed is None or item in allowed)
    ]
    scored = [(item, naive_score(model, histories, user, item)) for item in wanted]
    best = sorted(scored, key=lambda pair: -pair[1])[:k]  # stable: ties by the catalogue's order
    return [(user, item, rank + 1, score) for rank, (item, score) in enumerate(best)]


def rows_of(frame):
    assert list(frame.columns) == LISTED
    return list(frame.itertuples(index=False, name=None))
