import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.errors import InputError, MissingFileError
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages import evaluate as module
from recsparse.stages.evaluate import evaluate
from recsparse.stages.prepare import prepare


@pytest.fixture
def models(trained_folder):
    return [trained_folder / "popularity", trained_folder / "sparse_grid"]


def recall(model, dataset, k):
    """The share of a user's test items in the list, by sets, for each user with test items."""
    data, trained = load_dataset(dataset), load_model(model)
    before = data.with_ids(pa.concat_tables([data.split.train, data.split.validation])).to_pandas()
    lists = trained.recommend(k=k, history=before[["user_id", "item_id"]])
    listed = lists.groupby("user_id")["item_id"].agg(set)
    wanted = data.with_ids(data.split.test).to_pandas().groupby("user_id")["item_id"].agg(set)
    return [len(items & listed.get(user, set())) / len(items) for user, items in wanted.items()]


def test_each_model_has_its_metrics_in_one_table(models, small_dataset, workplace):
    config = load_config(None, ["evaluation.metrics=['all@3']"])
    compared = evaluate(models, small_dataset, config=config)
    assert list(compared.results) == list(compared.table.index) == ["popularity", "sparse_grid"]
    for model in models:
        expected = recall(model, small_dataset, 3)
        row = compared.table.loc[model.name]
        assert row["users"] == len(expected)
        assert row["recall@3"] == pytest.approx(np.mean(expected))
        error = np.std(expected, ddof=1) / np.sqrt(len(expected))
        assert row["recall@3 ±"] == pytest.approx(error)
        assert row["fit seconds"] == read_model_description(model)["training"]["fit_seconds"]


def test_test_figures_go_into_the_run_of_each_model_and_the_report_into_its_own(
    models, small_dataset, workplace
):
    compared = evaluate(models, small_dataset, workplace / "report")
    beside_models = MlflowClient(f"sqlite:///{models[0].parent / 'mlflow.db'}")
    for model in models:
        run = beside_models.get_run(read_model_description(model)["training"]["run_id"])
        expected = compared.results[model.name]
        assert run.data.metrics["test_ndcg_at_10"] == expected.mean()["ndcg@10"]
        assert run.data.metrics["test_coverage_at_10"] == expected.coverage["coverage@10"]
    here = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    experiment = here.get_experiment_by_name("recsparse").experiment_id
    (run,) = here.search_runs([experiment])
    assert run.data.tags["models"] == "popularity, sparse_grid"
    # Every test item has training rows.
    assert run.data.tags["test_catalogue"] == compared.catalogue == "known"
    assert str(compared).startswith("test part, known items\n")
    assert run.data.metrics["test_users"] == compared.part.users
    assert run.data.metrics["test_evaluated_rows"] == compared.part.evaluated_rows
    files = sorted(path.name for path in (workplace / "report").iterdir())
    assert {*files} <= {file.path for file in here.list_artifacts(run.info.run_id)}
    pd.testing.assert_frame_equal(
        pd.read_parquet(workplace / "report" / "comparison.parquet").set_index("model"),
        compared.table,
        check_index_type=False,
        check_dtype=False,
    )


def test_without_a_report_nothing_is_written(models, small_dataset, workplace):
    (workplace / "mlflow.db").unlink()
    evaluate(models[:1], small_dataset)
    assert list(workplace.iterdir()) == []


def test_a_model_of_mlflow_goes_under_its_address(models, small_dataset, workplace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{models[0].parent / 'mlflow.db'}")
    compared = evaluate(["models:/shelf/1", models[1]], small_dataset)
    assert list(compared.results) == ["models:/shelf/1", "sparse_grid"]
    same = compared.table.drop(columns="fit seconds")
    assert same.iloc[0].equals(same.iloc[1])


def test_models_in_folders_of_one_name_go_by_their_paths(models, small_dataset, workplace):
    (workplace / "old").symlink_to(models[0].parent)
    (workplace / "new").symlink_to(models[0].parent)
    paths = ["old/popularity", "new/popularity"]
    compared = evaluate([*paths, models[1]], small_dataset)
    assert list(compared.results) == list(compared.table.index) == [*paths, "sparse_grid"]


def test_models_of_the_same_name_are_refused(models, small_dataset):
    with pytest.raises(InputError, match="models must have different names"):
        evaluate([models[0], models[0]], small_dataset)


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (lambda item: pa.compute.add(item, 1000), "of its 20 items none is among the 20 of the"),
        (lambda item: item.cast(pa.string()), "ids of the dataset's type, string, but knows them"),
    ],
)
def test_a_model_of_other_items_alone_is_refused(models, small_log, tmp_path, shift, message):
    log = pq.read_table(small_log / "log.parquet")
    place = log.schema.get_field_index("item_id")
    moved = log.set_column(place, "item_id", shift(log["item_id"]))
    pq.write_table(moved, tmp_path / "log.parquet")
    prepare(tmp_path / "log.parquet", tmp_path / "dataset")
    with pytest.raises(InputError, match=message):
        evaluate(models[:1], tmp_path / "dataset", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_model_that_is_not_there_is_told(small_dataset, tmp_path):
    with pytest.raises(MissingFileError, match="the model must be a folder"):
        evaluate([tmp_path / "nowhere"], small_dataset)


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("half-way"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_an_evaluation_is_seen_while_it_runs_and_how_it_died(
    models, small_dataset, workplace, monkeypatch, error, status
):
    store, seen = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}"), []

    def runs():
        experiment = store.get_experiment_by_name("recsparse").experiment_id
        return store.search_runs([experiment])

    def dying(*args):
        seen.extend(run.info.status for run in runs())
        raise error

    monkeypatch.setattr(module, "rank_part", dying)
    with pytest.raises(type(error)):
        evaluate(models[:1], small_dataset, workplace / "report")
    (run,) = runs()
    assert (seen, run.info.status) == (["RUNNING"], status)
    assert run.inputs.dataset_inputs[0].tags[0].value == "testing"
