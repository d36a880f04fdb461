"""From a log of ratings to predicted ratings, through every stage."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare
from recsparse.stages.score import score
from recsparse.stages.train import train
from recsparse.stages.tune import tune
from tests.row_frames import all_rows

BIAS = ("model.kind=rating_bias",)
GRID = (
    "model.kind=rating_grid",
    "model.channels=4",
    "model.hidden=4",
    "model.bayes.factors=3",
    "model.bayes.burn_in=2",
    "model.bayes.samples=3",
    "model.training.epochs=2",
)


@pytest.fixture(scope="module")
def rated_log(tmp_path_factory):
    """Users and items of different means, rated from 1 to 5 in halves."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((40, 20)) < 0.6)
    level = 3 + rng.normal(0, 1, 40)[user] + rng.normal(0, 1, 20)[item]
    ratings = np.clip(np.round(2 * level) / 2, 1, 5)
    path = tmp_path_factory.mktemp("rated") / "log.parquet"
    frame = pd.DataFrame({"user_id": user, "item_id": item, "rating": ratings})
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def rated(rated_log, tmp_path_factory):
    out = tmp_path_factory.mktemp("rated") / "dataset"
    config = load_config(None, ["log.weight_column=rating"])
    prepare(rated_log, out, config=config)
    return out


def test_weights_of_the_dataset_are_the_ratings_of_the_log(rated, rated_log):
    rows = all_rows(load_dataset(rated)).to_pandas()
    joined = rows.merge(pd.read_parquet(rated_log), on=["user_id", "item_id"])
    assert len(joined) == len(rows) == pq.read_metadata(rated_log).num_rows
    assert (joined["weight"] == joined["rating_y"]).all()


def test_ratings_are_predicted_from_the_log_to_the_scores(rated, rated_log, workplace):
    trained = {
        name: train(rated, name, load_config(None, list(settings)))
        for name, settings in (("bias", BIAS), ("grid", GRID))
    }
    compared = evaluate(["bias", "grid"], rated, "report")
    part = load_dataset(rated).evaluation_part("test")
    cells = part.targets.tocoo()
    for name in trained:
        scores = load_model(name).model.score_batch(part.history).numpy()
        errors = scores[cells.row, cells.col] - cells.data
        row = compared.table.loc[name]
        assert row["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), abs=1e-6)
        assert row["mae"] == pytest.approx(np.abs(errors).mean(), abs=1e-6)
        assert {"user_rmse", "user_rmse ±", "ndcg@10"} <= set(row.index)
        assert "rmse ±" not in row
        about = read_model_description(name)["training"]
        assert about["validation"]["rmse"] == trained[name].validation["rmse"]
        client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
        metrics = client.get_run(about["run_id"]).data.metrics
        assert metrics["test_rmse"] == pytest.approx(row["rmse"])
    told = json.loads((workplace / "report" / "report.json").read_text(encoding="utf-8"))
    assert (told["reference"], told["metric"]) == ("bias", "user_rmse")
    pairs = pd.read_parquet(rated_log)[["user_id", "item_id"]]
    pairs.to_parquet("pairs.parquet", index=False)
    score("grid", "pairs.parquet", "scores.parquet", rated)
    predicted = pd.read_parquet("scores.parquet")["score"]
    assert predicted.between(1, 5).all()
    truth = pd.read_parquet(rated_log)["rating"]
    assert np.sqrt(((predicted - truth) ** 2).mean()) < 0.8 * truth.std()


def test_the_epochs_of_a_network_have_the_error_of_the_validation_ratings(rated, workplace):
    alone = [setting for setting in GRID if "bayes" not in setting]
    result = train(rated, "grid", load_config(None, alone))
    client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    history = client.get_metric_history(result.run_id, "validation_negative_rmse")
    assert [each.step for each in history] == [0, 1]
    assert all(-5 < each.value < 0 for each in history)


def test_of_a_model_that_ranks_and_one_of_ratings_the_lists_are_compared(rated, workplace):
    train(rated, "popularity", load_config(None, ["model.kind=popularity"]))
    train(rated, "bias", load_config(None, list(BIAS)))
    compared = evaluate(["bias", "popularity"], rated, "report")
    assert np.isnan(compared.table.loc["popularity", "rmse"])
    assert (compared.reference, compared.metric) == ("bias", "ndcg@10")


def test_the_search_takes_the_settings_of_the_least_error(rated):
    space = {"user_shrinkage": [0.0, 5.0, 5_000.0], "item_shrinkage": [5.0, 5_000.0]}
    result = tune(rated, load_config(None, list(BIAS)), space=space)
    errors = result.trials["rmse"].tolist()
    assert result.metric == "rmse"
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]
    assert result.config.model.user_shrinkage == result.trials["user_shrinkage"][0] < 5_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "but all of them are 1"),
        (
            ["log.weight_column=rating", "log.duplicates=sum"],
            r"log\.duplicates = 'sum' adds those of one user and item up",
        ),
        (
            ["log.weight_column=rating", "log.half_life_days=3"],
            r"log\.half_life_days makes old ones smaller",
        ),
    ],
)
def test_weights_that_are_no_ratings_are_refused(rated_log, workplace, settings, message):
    frame = pd.read_parquet(rated_log).assign(timestamp=range(pq.read_metadata(rated_log).num_rows))
    frame.to_parquet("log.parquet", index=False)
    prepare("log.parquet", "dataset", config=load_config(None, settings))
    with pytest.raises(InputError, match=rf"{message}.*--set log\.weight_column=rating"):
        train("dataset", "model", load_config(None, list(BIAS)))
    assert not (workplace / "model").exists()
