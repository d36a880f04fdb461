"""Metrics beyond targets: what they read of a dataset, and what is said where it is not there."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.vocabulary import Vocabulary
from recsparse.errors import InputError
from recsparse.scoring.model_folder import read_model_description
from recsparse.stages.evaluate import evaluate
from recsparse.stages.evaluate_file import evaluate_file
from recsparse.stages.list_context import list_context
from recsparse.stages.train import train
from tests.prepared import prepared

ROWS = [(user, (user * number) % 12) for user in range(1, 25) for number in range(1, 9)]
GENRES = ["drama", "war", "comedy"]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Items with a category and a vector, and one more without rows."""
    folder = tmp_path_factory.mktemp("described")
    table = {
        "item_id": range(13),
        "genre": [GENRES[item % 3] for item in range(13)],
        "image": [[float(item), 1.0] for item in range(13)],
    }
    pq.write_table(pa.table(table), folder / "items.parquet")
    settings = ["features.categories=['genre']", "features.vectors=['image']"]
    prepared(folder, ROWS, settings, items=folder / "items.parquet")
    return folder / "dataset"


def test_items_of_a_model_are_described_in_its_own_order(described):
    data = load_dataset(described)
    items = Vocabulary(pa.array([12, 3, 99, 5]))
    context = list_context(data, items, ["beyond@5"])
    train_items = data.with_ids(data.split.train)["item_id"].to_pylist()
    assert context.popularity.tolist() == [train_items.count(item) for item in (12, 3, 99, 5)]
    genre = context.item_categories.toarray()
    assert genre.sum(axis=1).tolist() == [1, 1, 0, 1]
    assert genre[0].tolist() == genre[1].tolist() != genre[3].tolist()
    cosine = (context.unit_vectors @ context.unit_vectors.T).toarray()
    image = 3 * 5 + 1 * 1
    expected = (0 * 0 + image / np.sqrt((9 + 1) * (25 + 1))) / 2  # other genre, near image
    assert cosine[1, 3] == pytest.approx(expected, abs=1e-6)
    assert cosine[2].tolist() == [0, 0, 0, 0]


def test_what_no_metric_reads_is_left_out(described):
    data = load_dataset(described)
    assert list_context(data, data.items, ["all@5", "auc", "mine:own@3"]).popularity is None
    assert list_context(data, data.items, ["arp@5"]).item_vectors is None


def test_evaluate_and_evaluate_file_measure_all_of_them(described, workplace):
    settings = [
        "model.kind=popularity",
        "evaluation.metrics=['ndcg@3','beyond@3','auc','ndcg_exp@3']",
    ]
    config = load_config(None, settings)
    train(described, workplace / "model", config)
    compared = evaluate([workplace / "model"], described, config=config)
    (result,) = compared.results.values()
    means = result.mean()
    for name in ("novelty", "aplt", "ild", "serendipity", "calibration", "ndcg_exp"):
        assert np.isfinite(means[f"{name}@3"]), name
    assert {"gini@3", "entropy@3", "coverage@3", "user_coverage@3"} == {*result.coverage}
    data = load_dataset(described)
    rows = list_context(data, data.items, ["arp@3"]).popularity
    assert means["arp@3"] == pytest.approx(rows[result.recommended].mean())
    assert means["new_items@3"] == 0
    assert 0 <= means["auc"] <= 1
    scored = pa.table({"user_id": [1, 1, 2], "item_id": [3, 4, 5], "score": [2.0, 1.0, 1.0]})
    of_file = evaluate_file(scored, described, config)
    assert [*of_file.per_user] == [*result.per_user]
    assert of_file.coverage["user_coverage@3"] < 1


def test_sampled_negatives_are_named_wherever_they_are_shown(described, workplace, caplog):
    settings = ["model.kind=popularity", "evaluation.sampled_negatives=2"]
    config = load_config(None, settings)
    train(described, workplace / "model", config)
    with caplog.at_level(logging.WARNING):
        compared = evaluate([workplace / "model"], described, workplace / "report", config)
    assert "evaluation.sampled_negatives ranks each user's targets among 2 random" in caplog.text
    assert "among 2 random items, not the whole catalogue: figures are higher" in str(compared)
    client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    run_id = read_model_description(workplace / "model")["training"]["run_id"]
    recorded = client.get_run(run_id).data
    assert "test_ndcg_at_10" not in recorded.metrics
    assert recorded.metrics["test_sampled_2_ndcg_at_10"] == compared.table["ndcg@10"].item()
    assert recorded.tags["test_sampled_negatives"] == "2"
    whole = evaluate([workplace / "model"], described)
    assert "random" not in str(whole)
    assert compared.table["ndcg@10"].item() >= whole.table["ndcg@10"].item()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Items of which nothing is known."""
    folder = tmp_path_factory.mktemp("bare")
    prepared(folder, ROWS)
    return folder / "dataset"


@pytest.mark.parametrize("metric", ["ild@5", "calibration@5"])
def test_metrics_of_features_that_are_not_there_are_refused_before_anything_is_done(
    bare, workplace, metric
):
    popular = workplace / "popular"
    train(bare, popular, load_config(None, ["model.kind=popularity"]))
    config = load_config(None, [f"evaluation.metrics=['{metric}']", "model.kind=popularity"])
    before = [*workplace.iterdir()]
    message = f"{metric} needs .* features.categories .*or leave it out of evaluation.metrics"
    with pytest.raises(InputError, match=message):
        train(bare, workplace / "model", config)
    with pytest.raises(InputError, match=message):
        evaluate([popular], bare, workplace / "report", config)
    with pytest.raises(InputError, match=message):
        evaluate_file(pa.table({"user_id": [1], "item_id": [1], "score": [0.5]}), bare, config)
    assert [*workplace.iterdir()] == before
