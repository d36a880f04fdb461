import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix

from recsparse.config.rating_models import RatingBiasConfig
from recsparse.config.toml_reader import load_config
from recsparse.datasets.evaluated.lists import Lists
from recsparse.datasets.parts import EvaluationPart
from recsparse.errors import InputError
from recsparse.models.registry import build_model
from recsparse.stages.prepare import prepare
from recsparse.stages.rank_part import evaluate_part, part_to_rank


@pytest.fixture
def data(tmp_path):
    """Users 1 and 2 are in training, 1 is in validation, and only the new user 3 in the test."""
    table = pa.table(
        {
            "user_id": [1, 1, 2, 2, 1, 1, 3, 3],
            "item_id": [1, 2, 1, 3, 3, 4, 1, 2],
            "timestamp": [1, 2, 3, 4, 5, 6, 7, 8],
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    shares = ["split.kind=global_time", "split.validation=0.25", "split.test=0.25"]
    config = load_config(overrides=shares)
    return prepare(tmp_path / "log.parquet", tmp_path / "dataset", config=config)


def test_a_part_with_known_users_and_items_is_given(data):
    part = part_to_rank(data, "validation")
    assert part.user_ids.to_pylist() == [1]
    assert part.targets.toarray().tolist() == [[0, 0, 1]]


def test_a_part_of_new_users_alone_is_refused(data):
    message = "the test part must have users and items that training knows, but of its 2 rows none"
    with pytest.raises(InputError, match=message):
        part_to_rank(data, "test")


def test_of_items_that_a_model_does_not_know_no_rating_is_predicted():
    """The model knows items 1 and 2; user 8 rated 3 alone, of which there is no prediction."""
    model = build_model(RatingBiasConfig()).fit(csr_matrix([[4.0, 2.0], [3.0, 1.0]]))
    part = EvaluationPart(
        pa.array([7, 8]), csr_matrix([[4.0, 0], [0, 0]]), csr_matrix([[0, 3.0, 5.0], [0, 0, 4.0]])
    )
    found = evaluate_part(
        model, Lists.of_part(part), ["all@1"], 10, candidates=np.ones(2, dtype=bool)
    )
    predicted = model.score_batch(csr_matrix([[4.0, 0]]))[0, 1].item()
    assert found.overall["rmse"] == pytest.approx(abs(predicted - 3))
    assert found.per_user["user_rmse"] == pytest.approx([abs(predicted - 3), np.nan], nan_ok=True)
    assert found.per_user["recall@1"].tolist() == [1 / 2, 0]
