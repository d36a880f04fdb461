import json
import logging
import os
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow.tracking import MlflowClient

from recsparse.config.config import TrackingConfig
from recsparse.digest import folder_digest
from recsparse.errors import MissingFileError, OutputError
from recsparse.scoring.model_folder import load_model
from recsparse.tracking.open_run import log_to_run, start_run
from recsparse.tracking.tracked import download_model, list_runs

CONFIG = TrackingConfig()
PAIRS = pd.DataFrame({"user_id": [0, 1], "item_id": [2, 3]})
EXAMPLE = PAIRS, pd.DataFrame({"score": pd.array([0.5, 0.25], "float32")})


def store(folder):
    return f"sqlite:///{folder / 'mlflow.db'}"


def found(folder, run):
    return MlflowClient(store(folder)).get_run(run.run_id)


def rows_in(folder):
    folder.mkdir()
    PAIRS.to_parquet(folder / "train.parquet")
    return folder


def artifacts(folder, run):
    return sorted(each.path for each in MlflowClient(store(folder)).list_artifacts(run.run_id))


def read(folder, run, name):
    return Path(MlflowClient(store(folder)).download_artifacts(run.run_id, name)).read_bytes()


def test_a_run_and_its_artifacts_are_kept_beside_the_job(workplace):
    with start_run(TrackingConfig(experiment="mine"), workplace, "first", {"colour": "red"}) as run:
        assert found(workplace, run).info.status == "RUNNING"
    seen = found(workplace, run)
    assert (seen.info.run_name, seen.info.status) == ("first", "FINISHED")
    assert seen.data.tags["colour"] == "red"
    assert seen.info.artifact_uri.startswith(f"file://{workplace}/mlartifacts/")
    assert MlflowClient(store(workplace)).get_experiment(seen.info.experiment_id).name == "mine"


def test_the_store_of_the_environment_is_used_and_none_is_made_beside(
    workplace, monkeypatch, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store(workplace))
    with start_run(CONFIG, elsewhere, "elsewhere") as run:
        pass
    assert found(workplace, run).info.status == "FINISHED"
    assert list(elsewhere.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told(workplace):
    (workplace / "file").write_text("")
    with (
        pytest.raises(OutputError, match="file must be a folder"),
        start_run(CONFIG, workplace / "file", "run"),
    ):
        pass


def test_a_job_that_fails_is_marked_so(workplace):
    with pytest.raises(ValueError, match="half-way"), start_run(CONFIG, workplace, "bad") as run:
        raise ValueError("half-way")
    assert found(workplace, run).info.status == "FAILED"


def test_everything_that_a_run_records_can_be_read_back(workplace):
    (workplace / "file.txt").write_text("as it is")
    with start_run(CONFIG, workplace, "run") as run:
        run.log_params({"seed": 3, "model": {"kind": "ease", "deep": {"deeper": 0.5}}})
        for epoch, loss in enumerate((2.0, 1.0)):
            run.log_metrics({"train_loss": loss, "ndcg@10": 1 - loss / 4}, step=epoch)
        run.log_dataset(rows_in(workplace / "pairs"), PAIRS, 7, "training")
        run.log_config({"training": {"epochs": 2}})
        run.log_figure(Figure(), "curve.png")
        run.log_table(PAIRS, "pairs.json")
        run.log_file(workplace / "file.txt")
    seen = found(workplace, run)
    assert seen.data.params == {"seed": "3", "model.kind": "ease", "model.deep.deeper": "0.5"}
    assert seen.data.metrics == {"train_loss": 1.0, "ndcg_at_10": 1 - 1.0 / 4}
    history = MlflowClient(store(workplace)).get_metric_history(run.run_id, "train_loss")
    assert [(each.step, each.value) for each in history] == [(0, 2.0), (1, 1.0)]
    (given,) = seen.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.source_type) == ("pairs/train", "local")
    assert json.loads(given.dataset.source) == {"uri": str(workplace / "pairs")}
    assert given.dataset.digest == folder_digest(workplace / "pairs")[:36]
    assert json.loads(given.dataset.profile)["num_rows"] == 7
    assert [tag.value for tag in given.tags] == ["training"]
    assert artifacts(workplace, run) == ["config.json", "curve.png", "file.txt", "pairs.json"]
    assert json.loads(read(workplace, run, "config.json")) == {"training": {"epochs": 2}}
    assert read(workplace, run, "curve.png").startswith(b"\x89PNG")
    assert json.loads(read(workplace, run, "pairs.json"))["data"] == [[0, 2], [1, 3]]


@pytest.mark.parametrize("register_as", [None, "shelf"])
def test_a_logged_model_is_found_under_all_its_addresses(workplace, trained_folder, register_as):
    folder = trained_folder / "popularity"
    with start_run(CONFIG, workplace, "run") as run:
        addresses = [run.log_model(folder, EXAMPLE, register_as), f"runs:/{run.run_id}/model"]
    client = MlflowClient(store(workplace))
    if register_as is not None:
        client.set_registered_model_alias("shelf", "champion", "1")
        addresses += ["models:/shelf/1", "models:/shelf@champion"]
    registered = [model.name for model in client.search_registered_models()]
    assert registered == ([] if register_as is None else ["shelf"])
    for address in addresses:
        local = download_model(address, store(workplace))
        assert load_model(local).score(PAIRS).tolist() == load_model(folder).score(PAIRS).tolist()


def test_the_first_run_joins_the_one_that_mlflow_has_opened(workplace, monkeypatch):
    client = MlflowClient(store(workplace))
    opened = client.create_run(client.create_experiment("outer")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store(workplace))
    with start_run(CONFIG, workplace, "joined") as first:
        first.log_metrics({"loss": 1.0})
    with start_run(CONFIG, workplace, "own") as second:
        pass
    assert first.run_id == opened != second.run_id
    assert found(workplace, first).data.metrics == {"loss": 1.0}
    assert client.get_experiment_by_name(CONFIG.experiment).experiment_id == (
        found(workplace, second).info.experiment_id
    )


@pytest.mark.parametrize("own", [None, "http://mine"])
def test_the_users_own_settings_are_as_they_were_afterwards(workplace, monkeypatch, own):
    if own is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", own)
    config = TrackingConfig(uri=store(workplace))
    before, level = dict(os.environ), logging.getLogger("mlflow").level
    with start_run(config, workplace, "run") as run:
        pass
    log_to_run(config, workplace, run.run_id, {"late": 1.0})
    list_runs(store(workplace), CONFIG.experiment)
    assert dict(os.environ) == before
    assert logging.getLogger("mlflow").level == level
    assert mlflow.get_tracking_uri() == (own or f"sqlite:///{workplace}/mlflow.db")


def test_two_jobs_of_one_process_have_a_store_each(workplace, empty_store, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "mlflow.db").write_bytes(empty_store.read_bytes())
    with start_run(CONFIG, workplace, "here") as here:
        pass
    with start_run(CONFIG, other, "there") as there:
        pass
    assert found(workplace, here).info.run_name == "here"
    assert found(other, there).info.run_name == "there"


def test_a_run_in_a_new_store_says_nothing(workplace, trained_folder, capfd, recwarn, monkeypatch):
    (workplace / "mlflow.db").unlink()
    with start_run(CONFIG, workplace, "run") as run:
        run.log_dataset(rows_in(workplace / "pairs"), PAIRS, 2, "training")
        run.log_model(trained_folder / "popularity", EXAMPLE, None)
        # A server's store would have links to its pages printed when the run ends.
        monkeypatch.setattr("mlflow.tracking._tracking_service.client.RestStore", object)
    log_to_run(CONFIG, workplace, run.run_id, {"late": 1.0})
    assert capfd.readouterr() == ("", "")
    assert [str(seen.message) for seen in recwarn if seen.category is UserWarning] == []


def test_figures_are_added_to_a_run_that_has_ended(workplace):
    with start_run(CONFIG, workplace, "run") as run:
        run.log_metrics({"validation_ndcg@10": 0.5})
    for catalogue in ("all", "known"):  # a later evaluation takes the place of the one before
        tags = {"test_catalogue": catalogue}
        log_to_run(CONFIG, workplace, run.run_id, {"test_ndcg@10": 0.25}, tags)
    seen = found(workplace, run)
    assert seen.data.tags["test_catalogue"] == "known"
    assert seen.data.metrics == {"validation_ndcg_at_10": 0.5, "test_ndcg_at_10": 0.25}
    assert seen.info.status == "FINISHED"


@pytest.mark.parametrize("run_id", ["None", "0" * 32])
def test_figures_of_an_unknown_run_are_told_and_not_recorded(workplace, caplog, run_id):
    log_to_run(CONFIG, workplace, run_id, {"test_ndcg@10": 0.25})
    assert f"run {run_id} is not in sqlite:///{workplace}/mlflow.db" in caplog.text


def test_no_store_is_made_for_figures_of_an_unknown_run(workplace, caplog):
    (workplace / "mlflow.db").unlink()
    log_to_run(CONFIG, workplace, "0" * 32, {"test_ndcg@10": 0.25})
    assert "its metrics are not recorded" in caplog.text
    assert list(workplace.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["models:/nobody/1", "models:/nobody@champion", "runs:/1/model"]
)
def test_an_unknown_address_is_told_with_the_store_that_was_asked(workplace, address):
    with pytest.raises(MissingFileError, match=rf"{address} must be .* store sqlite:.*mlflow\.db"):
        download_model(address, store(workplace))


def test_a_model_of_another_library_is_told(workplace):
    (workplace / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: other\n")
    with start_run(CONFIG, workplace, "run") as run:
        MlflowClient().log_artifact(run.run_id, str(workplace / "MLmodel"), "model")
    with pytest.raises(MissingFileError, match="must be a recsparse model"):
        download_model(f"runs:/{run.run_id}/model", store(workplace))


def test_a_store_that_is_not_there_is_told_and_not_made(workplace):
    for call in (
        lambda: download_model("models:/shelf/1", store(workplace / "no")),
        lambda: list_runs(store(workplace / "no"), "recsparse"),
    ):
        with pytest.raises(MissingFileError, match=r"must be an MLflow store at .*no/mlflow\.db"):
            call()
    assert not (workplace / "no").exists()


def test_runs_are_listed_the_newest_first(workplace):
    for name in ("old", "new"):
        with start_run(CONFIG, workplace, name) as run:
            run.log_metrics({"loss": 1.0})
    with start_run(TrackingConfig(experiment="other"), workplace, "not mine"):
        pass
    listed = list_runs(store(workplace), "recsparse")
    assert listed["tags.mlflow.runName"].tolist() == ["new", "old"]
    assert listed["metrics.loss"].tolist() == [1.0, 1.0]
    everywhere = list_runs(store(workplace))
    assert everywhere["experiment"].tolist()[:3] == ["other", "recsparse", "recsparse"]


def test_an_unknown_experiment_is_told_with_those_there_are(workplace):
    with pytest.raises(MissingFileError, match="'nothing', but it holds Default, template"):
        list_runs(store(workplace), "nothing")
