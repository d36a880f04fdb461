"""A real tracking server that goes away in the middle of a training."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, closing, contextmanager

import pytest
from mlflow.entities import LoggedModelStatus
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.scoring.model_folder import load_model, read_model_description
from recsparse.stages.load import load
from recsparse.stages.runs import runs
from recsparse.stages.train import train
from recsparse.tracking.run import Run
from recsparse.tracking.store import local_uri
from tests.conftest import SMALL_NETWORK


def free_port():
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def server(folder, port):
    """`mlflow server`; within, a function that stops it."""
    words = ["--backend-store-uri", local_uri(folder), "--port", str(port)]
    words += ["--artifacts-destination", f"{folder}/files", "--workers", "1"]
    # The workers of jobs that nobody asks for take longer to start than all the rest.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_a_server_that_is_stopped_in_the_middle_of_a_training_costs_nothing(
    small_dataset, workplace, monkeypatch, caplog
):
    port, folder = free_port(), workplace / "what if? 100%25 #1"
    folder.mkdir()
    uri = f"http://127.0.0.1:{port}"
    settings = [*SMALL_NETWORK, "training.epochs=4", "tracking.register_as=shelf"]
    config = load_config(None, [*settings, f"tracking.uri={uri}"])
    log_metrics = Run.log_metrics
    started = time.monotonic()
    with server(folder, port) as process:

        def stopping(run, metrics, step=None):
            if step == 2 and process.poll() is None:
                process.terminate()
                process.wait(60)
            log_metrics(run, metrics, step)

        monkeypatch.setattr(Run, "log_metrics", stopping)
        result = train(small_dataset, "model", config)
    assert result.model_uri is None
    assert time.monotonic() - started < 240
    told = [record.message for record in caplog.records if record.name.startswith("recsparse")]
    (warned,) = [each for each in told if "could not be sent" in each]
    assert re.search(rf"records of this run could not be sent to {uri}", warned)
    assert read_model_description("model")["training"]["run_id"] == result.run_id
    assert load_model("model").recommend(k=3).equals(result.model.recommend(k=3))
    with server(folder, port):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        everything_is_there(config, result)
    assert not any((workplace / "mlflow.unsent").iterdir())


def everything_is_there(config, result):
    found = runs(".", config.tracking, send=True)
    assert found.set_index("run_id").loc[result.run_id, "status"] == "FINISHED"
    client = MlflowClient(config.tracking.uri)
    history = client.get_metric_history(result.run_id, "train_loss")
    assert [each.step for each in history] == [0, 1, 2, 3]
    files = {file.path for file in client.list_artifacts(result.run_id)}
    assert {"config.json", "learning_curve.png"} <= files
    of_the_model_as_well(client, result)
    assert load("models:/shelf/1").recommend(k=3).equals(result.model.recommend(k=3))


def of_the_model_as_well(client, result):
    """What MLflow has of the model is what it has of the run, each figure with its data."""
    run = client.get_run(result.run_id)
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.status == LoggedModelStatus.READY
    assert model.params == run.data.params
    own = {name for name in model.tags if not name.startswith("mlflow.")}
    assert {"kind", "dataset_digest", "host"} <= own
    assert {name: model.tags[name] for name in own}.items() <= run.data.tags.items()
    assert {each.tags[0].value for each in run.inputs.dataset_inputs} == {
        "training", "validation", "testing",
    }  # fmt: skip
    of_run = [
        (each.key, each.step, each.value)
        for name in run.data.metrics
        for each in client.get_metric_history(result.run_id, name)
    ]
    assert sorted((each.key, each.step, each.value) for each in model.metrics) == sorted(of_run)
    data = {each.key: each.dataset_name for each in model.metrics}
    assert data["train_loss"] == "dataset/train"
    assert data["validation_ndcg_at_10"] == data["validation_ndcg"] == "dataset/validation"


@pytest.mark.slow
def test_a_server_that_comes_back_within_a_training_gets_all_of_it(
    small_dataset, workplace, monkeypatch, caplog
):
    port, folder = free_port(), workplace / "store"
    folder.mkdir()
    config = load_config(
        None, [*SMALL_NETWORK, "training.epochs=4", f"tracking.uri=http://127.0.0.1:{port}"]
    )
    log_metrics = Run.log_metrics
    with server(folder, port) as first, ExitStack() as later:

        def stopping_and_starting(run, metrics, step=None):
            if step == 1 and first.poll() is None:
                first.terminate()
                first.wait(60)
            elif step == 3 and "train_loss" in metrics:
                later.enter_context(server(folder, port))
            log_metrics(run, metrics, step)

        monkeypatch.setattr(Run, "log_metrics", stopping_and_starting)
        result = train(small_dataset, "model", config)
        assert first.poll() is not None
        assert result.model_uri is not None
        client = MlflowClient(config.tracking.uri)
        history = client.get_metric_history(result.run_id, "train_loss")
        assert [each.step for each in history] == [0, 1, 2, 3]
        of_the_model_as_well(client, result)
    assert not (workplace / "mlflow.unsent").exists() or not any(
        (workplace / "mlflow.unsent").iterdir()
    )
    assert "could not be sent" not in caplog.text
