import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.linear_models import ContentKNNConfig
from recsparse.datasets.cold_items import cold_part
from recsparse.errors import InputError
from recsparse.evaluation.rank_catalogue import evaluate_ranking
from recsparse.models.content.content_knn import ContentKNN
from recsparse.models.protocol.features import Features
from recsparse.models.protocol.fit_context import FitContext
from recsparse.stages.item_features import item_features
from tests.prepared import prepared

TEXTS = {
    "a": "red fox", "b": "red hen", "c": "blue sea", "d": "blue sky", "cold red": "red fox red",
    "cold blue": "blue sea", "colder": "green",
}  # fmt: skip
# Who took what, and the part that the row is in.
ROWS = [
    ("ann", "a", "train"), ("ann", "b", "train"), ("bob", "c", "train"), ("bob", "d", "train"),
    ("cid", "a", "train"), ("cid", "c", "train"), ("ann", "d", "validation"),
    ("ann", "cold red", "test"), ("bob", "cold blue", "test"), ("bob", "b", "test"),
    ("new", "cold red", "test"), ("cid", "colder", "validation"),
]  # fmt: skip


@pytest.fixture
def data(tmp_path):
    items = pa.table({"item_id": list(TEXTS), "text": list(TEXTS.values())})
    pq.write_table(items, tmp_path / "items.parquet")
    rows, parts = [row[:2] for row in ROWS], [row[2] for row in ROWS]
    given = ["split.kind=given", "text.weighting=counts", "text.min_documents=1"]
    return prepared(tmp_path, rows, given, part=parts, items=tmp_path / "items.parquet")


def test_cold_items_are_those_of_the_part_that_training_does_not_know(data):
    part = cold_part(data, "test")
    assert data.user_ids(part.users).to_pylist() == ["ann", "bob"]
    assert data.item_ids(part.items).to_pylist() == ["cold blue", "cold red"]
    assert part.targets.toarray().tolist() == [[0, 1], [1, 0]]
    # What the test may see is training and validation, of items of the catalogue.
    assert data.items.ids.to_pylist() == ["a", "b", "c", "d"]
    assert part.history.toarray().tolist() == [[1, 1, 0, 1], [0, 0, 1, 1]]
    assert (part.times.indices == part.history.indices).all()
    words = data.words.words
    assert part.features[0].values.toarray().tolist() == [
        [float(word in ("blue", "sea")) for word in words],
        [{"red": 2.0, "fox": 1.0}.get(word, 0.0) for word in words],
    ]
    assert data.item_ids(cold_part(data, "validation").items).to_pylist() == ["colder"]


def test_cold_items_are_ranked_among_themselves(data):
    part, known = cold_part(data, "test"), item_features(data)
    model = ContentKNN(ContentKNNConfig()).fit(data.train_matrix(), FitContext(item_features=known))
    cold = Features.of(part.features)
    result = evaluate_ranking(
        lambda history: model.score_cold(history, None, cold),
        part.history, part.targets, metrics=["all@1"], targets_are_cold=True,
    )  # fmt: skip
    assert result.per_user["hit_rate@1"].tolist() == [1.0, 1.0]
    assert result.coverage == {"coverage@1": 1.0}
    with pytest.raises(InputError, match="history and targets must have one shape"):
        evaluate_ranking(model.score_batch, part.history, part.targets, metrics=["all@1"])


def test_a_part_without_cold_items_is_refused(tmp_path):
    rows = [(user, item) for user in range(4) for item in range(8)]
    texts = pa.table({"item_id": range(8), "text": ["red"] * 8})
    pq.write_table(texts, tmp_path / "items.parquet")
    warm = prepared(tmp_path, rows, ["split.kind=random"], items=tmp_path / "items.parquet")
    with pytest.raises(InputError, match="none of its 4 rows is one; hold items out of training"):
        cold_part(warm, "test")


def test_a_dataset_without_text_is_refused(tmp_path):
    rows = [(user, item) for user in range(4) for item in range(8)]
    with pytest.raises(InputError, match="ranked by their features, but the dataset has none"):
        cold_part(prepared(tmp_path, rows, ["split.kind=random"]), "test")


def test_users_without_a_history_are_left_out(data):
    assert "new" in data.unseen_users.ids.to_pylist()
    assert np.isin(cold_part(data, "test").users, np.arange(len(data.users))).all()
