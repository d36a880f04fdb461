import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.synthetic import synthetic_log
from recsparse.errors import MissingFileError
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages import train as module
from recsparse.stages.fit_on_dataset import validate
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from recsparse.training.fit_progress import Progress
from tests.conftest import SMALL_NETWORK


def client(folder):
    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def run_of(folder, kind):
    (experiment,) = client(folder).search_experiments(filter_string="name = 'recsparse'")
    query = f"tags.kind = '{kind}'"
    (run,) = client(folder).search_runs([experiment.experiment_id], query)
    return run


def test_a_training_is_recorded_with_all_that_it_was_given(trained_folder, small_dataset):
    run = run_of(trained_folder, "sparse_grid")
    params = run.data.params
    assert (params["seed"], params["model.kind"], params["model.factors"]) == (
        "0", "sparse_grid", "4",
    )  # fmt: skip
    assert (params["training.epochs"], params["model.linear.kind"]) == ("2", "ease")
    assert re.fullmatch(r"sparse_grid-20\d{6}-\d{6}", run.info.run_name)
    given = {each.tags[0].value: each.dataset for each in run.inputs.dataset_inputs}
    parts = {"training": "train", "validation": "validation", "testing": "test"}
    assert {name: each.name for name, each in given.items()} == {
        name: f"dataset/{part}" for name, part in parts.items()
    }
    for name, part in parts.items():
        assert json.loads(given[name].source) == {"uri": str(small_dataset)}
        rows = pa.ipc.open_file(small_dataset / f"{part}.arrow").read_all().to_pandas()
        assert json.loads(given[name].profile) == {
            "num_rows": len(rows),
            "num_users": rows["user_index"].nunique(),
            "num_items": rows["item_index"].nunique(),
        }


def test_a_training_is_recorded_with_all_that_came_out(trained_folder):
    run, store = run_of(trained_folder, "sparse_grid"), client(trained_folder)
    metrics = run.data.metrics
    assert {"train_loss", "validation_ndcg", "validation_ndcg_at_10", "fit_seconds"} <= set(metrics)
    for name in ("train_loss", "validation_ndcg"):
        assert [each.step for each in store.get_metric_history(run.info.run_id, name)] == [0, 1]
    files = {file.path for file in store.list_artifacts(run.info.run_id)}
    assert {"config.json", "learning_curve.png"} <= files
    config = json.loads(Path(store.download_artifacts(run.info.run_id, "config.json")).read_text())
    assert config == load_config(None, [*SMALL_NETWORK, "tracking.register_as=shelf"]).model_dump(
        mode="json"
    )
    version = store.get_model_version("shelf", "1")
    assert version.run_id == run.info.run_id
    assert (trained_folder / "mlartifacts").is_dir()


def test_a_model_without_epochs_has_no_learning_curve(trained_folder):
    run = run_of(trained_folder, "popularity")
    files = client(trained_folder).list_artifacts(run.info.run_id)
    assert [file.path for file in files] == ["config.json"]


def test_the_model_folder_remembers_its_run_and_its_data(trained_folder, small_dataset):
    about = read_model_description(trained_folder / "popularity")["training"]
    run = run_of(trained_folder, "popularity")
    assert about["run_id"] == run.info.run_id
    assert about["dataset"] == str(small_dataset)
    assert about["validation"]["ndcg@10"] == run.data.metrics["validation_ndcg_at_10"]
    assert about["fit_seconds"] == run.data.metrics["fit_seconds"]


def test_popularity_is_what_pandas_counts_in_the_training_rows(trained_folder, small_dataset):
    trained = load_model(trained_folder / "popularity")
    rows = load_dataset(small_dataset).train_frame()
    shares = rows["item_id"].value_counts(normalize=True)
    pairs = pd.DataFrame({"user_id": 0, "item_id": shares.index})
    np.testing.assert_allclose(trained.score(pairs), shares, rtol=1e-6)
    seen = set(zip(rows["user_id"], rows["item_id"], strict=True))
    lists = trained.recommend(k=20)
    assert not seen & set(zip(lists["user_id"], lists["item_id"], strict=True))


def test_what_comes_back_is_what_was_written(small_dataset, workplace):
    config = load_config(None, ["model.kind=item_knn"])
    result = train(small_dataset, "model", config)
    loaded = load_model(result.folder)
    pd.testing.assert_frame_equal(loaded.recommend(k=3), result.model.recommend(k=3))
    data = load_dataset(small_dataset)
    part = data.evaluation_part("validation")
    assert result.validation == validate(loaded.model, data, part, config).mean()
    assert set(result.validation) == set(read_model_description("model")["training"]["validation"])
    assert result.model_uri.startswith("models:/")
    assert sorted(path.name for path in workplace.iterdir()) == [
        "mlartifacts",
        "mlflow.db",
        "model",
    ]


def test_the_same_seed_gives_the_same_model(small_dataset, trained_folder, workplace):
    again = train(small_dataset, "model", load_config(None, list(SMALL_NETWORK)))
    first = load_model(trained_folder / "sparse_grid").model.state()
    for name, value in again.model.model.state().items():
        assert value.equal(first[name]), name


LENGTHS = ["evaluation.select_by=recall@3", "evaluation.metrics=['all@5']"]


def test_the_validation_figures_have_the_length_that_is_selected_by(small_dataset, workplace):
    config = load_config(None, ["model.kind=popularity", *LENGTHS])
    validation = train(small_dataset, "model", config).validation
    assert "recall@3" in validation
    assert {name.split("@")[1] for name in validation} == {"3", "5"}


def length_of_lists(recommended, targets):
    """Calls all lists equally good."""
    return [recommended.shape[1]] * len(recommended)


def test_a_metric_of_one_s_own_stops_a_training(small_dataset, workplace):
    own = f"evaluation.select_by={__name__}:length_of_lists@7"
    config = load_config(None, [*SMALL_NETWORK, own, "training.epochs=5", "training.patience=1"])
    validation = train(small_dataset, "model", config).validation
    assert validation["length_of_lists@7"] == 7
    history = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}").get_metric_history(
        run_of(workplace, "sparse_grid").info.run_id, "validation_length_of_lists"
    )
    assert [point.value for point in history] == [7, 7]


def test_a_training_that_fails_is_recorded_so_and_writes_no_model(
    small_dataset, workplace, monkeypatch
):
    config = load_config(None, [*SMALL_NETWORK, "training.epochs=3"])
    with monkeypatch.context() as patch:
        patch.setattr(module, "save_model", None)
        with pytest.raises(TypeError):
            train(small_dataset, "model", config)
    assert run_of(workplace, "sparse_grid").info.status == "FAILED"
    assert not (workplace / "model").exists()


def test_an_interrupted_training_goes_on_where_it_stopped(small_dataset, workplace, monkeypatch):
    config = load_config(None, [*SMALL_NETWORK, "training.epochs=3"])
    original, trained = Progress.on_train_epoch_end, []

    def interrupted(progress, trainer, network):
        trained.append(trainer.current_epoch)
        original(progress, trainer, network)
        if trained == [0, 1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "on_train_epoch_end", interrupted)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(small_dataset, "model", config)
    assert (workplace / "model.checkpoints").is_dir()
    train(small_dataset, "model", config, resume=True)
    assert trained == [0, 1, 2]
    assert not (workplace / "model.checkpoints").exists()


def test_no_dataset_makes_no_run(workplace):
    before = client(workplace).search_experiments()
    with pytest.raises(MissingFileError, match="the dataset must be a folder"):
        train("nowhere", "model")
    assert len(client(workplace).search_experiments()) == len(before)
    assert [path.name for path in workplace.iterdir()] == ["mlflow.db"]


def logged_digest(folder, log, items=None):
    pq.write_table(log, folder / "log.parquet")
    prepare(folder / "log.parquet", folder / "dataset", items)
    train(folder / "dataset", folder / "model", load_config(None, ["model.kind=popularity"]))
    experiment = client(folder).get_experiment_by_name("recsparse").experiment_id
    runs = client(folder).search_runs([experiment])
    return runs[0].inputs.dataset_inputs[0].dataset.digest


def changed(table, column, row, value):
    values = table[column].to_pylist()
    values[row] = value
    place = table.schema.get_field_index(column)
    return table.set_column(place, column, pa.array(values, table[column].type))


def test_logged_datasets_are_told_apart_by_any_time_list_or_row(
    workplace, tmp_path_factory, empty_store
):
    log = synthetic_log(200, 120, 12_000, seed=0)
    users = log.table["user_id"].to_pylist()
    # The last row of the last user, who lies beyond the 10,000 first rows.
    late = max(range(len(users)), key=lambda row: (users[row], row))
    shifted = pa.compute.add(log.table["timestamp"], 3600)
    place = log.table.schema.get_field_index("timestamp")
    logs = {
        "itself": log.table,
        "every time": log.table.set_column(place, "timestamp", shifted),
        "one time": changed(log.table, "timestamp", 0, log.table["timestamp"][0].as_py() + 1),
        "a late row": changed(
            log.table, "item_id", late, (log.table["item_id"][late].as_py() + 1) % 120
        ),
    }
    digests = {}
    for name, table in logs.items():
        folder = tmp_path_factory.mktemp("each")
        shutil.copy(empty_store, folder / "mlflow.db")
        digests[name] = logged_digest(folder, table)
    assert len(set(digests.values())) == len(digests)
    train(folder / "dataset", folder / "other", load_config(None, ["model.kind=popularity"]))
    experiment = client(folder).get_experiment_by_name("recsparse").experiment_id
    runs = client(folder).search_runs([experiment])
    assert {run.inputs.dataset_inputs[0].dataset.digest for run in runs} == {digests["a late row"]}
