import os
import re
import shutil

import pytest

from recsparse.errors import InputError, MissingFileError, ModelFolderError
from recsparse.tracking.open_run import start_run
from recsparse.tracking.tracked import download_model, is_recorded, list_runs
from tests.tracking.test_open_run import CONFIG, EXAMPLE, store


@pytest.mark.parametrize(
    "data", ["/{model}", "../../{model}", "data/../../..", "link"], ids=lambda data: data[:9]
)
def test_a_model_folder_outside_of_its_artifact_is_not_opened(workplace, trained_folder, data):
    """By an absolute path, by steps up, by a link: anyone may write an MLmodel."""
    outside = workplace / "outside"
    shutil.copytree(trained_folder / "popularity", outside)
    with start_run(CONFIG, workplace, "run") as run:
        address = run.log_model(outside, EXAMPLE, None)
    root = download_model(address, store(workplace)).parent
    root = next(each for each in (root, *root.parents) if (each / "MLmodel").is_file())
    (root / "link").symlink_to(outside)
    text = (root / "MLmodel").read_text()
    wanted = data.format(model=str(outside).lstrip("/"))
    if data.startswith("../.."):
        wanted = os.path.relpath(outside, root)
    (root / "MLmodel").write_text(re.sub(r"(?m)^( +data:).*$", rf"\1 {wanted}", text))
    with pytest.raises(ModelFolderError, match="must lie within the artifact, but"):
        download_model(address, store(workplace))


def test_a_file_of_a_model_that_links_out_of_its_artifact_is_not_opened(workplace, trained_folder):
    with start_run(CONFIG, workplace, "run") as run:
        address = run.log_model(trained_folder / "popularity", EXAMPLE, None)
    folder = download_model(address, store(workplace))
    (folder / "users.parquet").unlink()
    (folder / "users.parquet").symlink_to(trained_folder / "popularity" / "users.parquet")
    with pytest.raises(ModelFolderError, match="must lie within the artifact, but"):
        download_model(address, store(workplace))


def test_a_job_is_recorded_once_its_run_has_finished(workplace, monkeypatch):
    with start_run(CONFIG, workplace, "run") as run:
        assert not is_recorded(store(workplace), run.run_id)
    assert is_recorded(store(workplace), run.run_id)
    assert not is_recorded(store(workplace), "0" * 32)
    assert not is_recorded(store(workplace / "nowhere"), run.run_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", run.run_id)
    assert not is_recorded(store(workplace), run.run_id)


def test_a_job_that_failed_is_not_recorded_to_its_end(workplace):
    with pytest.raises(RuntimeError), start_run(CONFIG, workplace, "run") as run:
        raise RuntimeError
    assert not is_recorded(store(workplace), run.run_id)


@pytest.mark.parametrize("with_model", [False, True])
def test_a_run_that_logged_no_model_is_told(workplace, with_model):
    with start_run(CONFIG, workplace, "my job", with_model=with_model) as run:
        pass
    told = rf"the run of runs:/{run.run_id}/model must have logged a model, but my job \(FINISHED\)"
    with pytest.raises(MissingFileError, match=told):
        download_model(f"runs:/{run.run_id}/model", store(workplace))


def test_runs_are_filtered_by_mlflows_own_language(workplace):
    for name, loss in (("low", 1.0), ("high", 2.0)):
        with start_run(CONFIG, workplace, name) as run:
            run.log_metrics({"train_loss": loss})
    found = list_runs(store(workplace), query="metrics.train_loss > 1.5")
    assert found["tags.mlflow.runName"].tolist() == ["high"]
    with pytest.raises(InputError, match=r"filter must be one of MLflow's.* got 'loss of 3'"):
        list_runs(store(workplace), query="loss of 3")
