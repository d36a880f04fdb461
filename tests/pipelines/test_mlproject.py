import os
import sys
from importlib import import_module
from pathlib import Path

import mlflow.projects
import pytest
import typer
import yaml
from mlflow.tracking import MlflowClient

from recsparse.cli.main import app
from recsparse.config.toml_writer import write_toml
from recsparse.scoring.model_folder import read_model_description

ROOT = Path(__file__).parents[2]


def entry_points():
    return yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]


def test_a_training_as_a_project_joins_the_run_that_mlflow_opens(
    workplace, small_dataset, monkeypatch
):
    uri = f"sqlite:///{workplace / 'mlflow.db'}"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    write_toml("config.toml", {"model": {"kind": "item_knn", "neighbours": 5}})
    parameters = {
        "dataset": str(small_dataset),
        "out": str(workplace / "model"),
        "config": str(workplace / "config.toml"),
    }
    mlflow.set_tracking_uri(uri)
    try:
        submitted = mlflow.projects.run(
            str(ROOT),
            "train",
            parameters=parameters,
            experiment_name="projects",
            env_manager="local",
        )
    finally:
        mlflow.set_tracking_uri(None)
    client = MlflowClient(uri)
    run = client.get_run(submitted.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.neighbours"] == "5"
    about = read_model_description(workplace / "model")["training"]
    assert about["run_id"] == submitted.run_id
    assert run.data.metrics["validation_ndcg_at_10"] == about["validation"]["ndcg@10"]
    assert client.get_experiment(run.info.experiment_id).name == "projects"


@pytest.mark.parametrize("name", entry_points())
def test_every_entry_point_is_a_command_with_options_that_exist(name):
    entry = entry_points()[name]
    words = entry["command"].split()
    values = [word[1:-1] for word in words if word.startswith("{")]
    assert sorted(values) == sorted(entry["parameters"])
    assert words[:2] == ["python", "-m"]
    if words[2].startswith("pipelines."):
        known = typer.main.get_command(import_module(words[2]).app).params
    else:
        assert words[2:4] == ["recsparse", name]
        known = typer.main.get_command(app).commands[name].params
    options = {option for param in known for option in param.opts}
    assert {word for word in words[4:] if word.startswith("-")} <= options
