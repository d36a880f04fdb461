"""A training that was stopped resumes on request, in the same MLflow run."""

import shutil
import tomllib

import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.toml_reader import load_config
from recsparse.errors import CheckpointError
from recsparse.scoring.model_folder import load_model
from recsparse.stages import fitted
from recsparse.stages import train as module
from recsparse.stages import training_run as recorded
from recsparse.stages.train import train
from tests.conftest import SMALL_NETWORK

SETTINGS = [*SMALL_NETWORK, "training.epochs=4"]


class PowerCutError(BaseException):
    """Stands for whatever kills a training."""


def config_of(*settings):
    return load_config(None, [*SETTINGS, *settings])


@pytest.fixture
def killed(small_dataset, workplace, monkeypatch):
    """A place where a training was killed after its second epoch."""
    original = module.Run.log_metrics

    def log_metrics(run, metrics, step=None):
        original(run, metrics, step)
        if step == 1:
            raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(module.Run, "log_metrics", log_metrics)
        with pytest.raises(PowerCutError):
            train(small_dataset, "model", config_of())
    return workplace


def test_an_epoch_that_was_saved_and_not_recorded_is_recorded_when_the_training_resumes(
    small_dataset, workplace, monkeypatch
):
    original, drawn = module.Run.log_metrics, []

    def log_metrics(run, metrics, step=None):
        if step == 1:
            raise PowerCutError
        original(run, metrics, step)

    with monkeypatch.context() as patch:
        patch.setattr(module.Run, "log_metrics", log_metrics)
        with pytest.raises(PowerCutError):
            train(small_dataset, "model", config_of())
    curve = recorded.plot_learning_curve
    monkeypatch.setattr(
        recorded, "plot_learning_curve", lambda each: drawn.append(each) or curve(each)
    )
    result = train(small_dataset, "model", config_of(), resume=True)
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    history = client.get_metric_history(result.run_id, "train_loss")
    assert [each.step for each in history] == [0, 1, 2, 3]
    assert [sorted(each) for each in drawn] == [[0, 1, 2, 3]]
    losses = [drawn[0][epoch]["train_loss"] for epoch in range(4)]
    assert [each.value for each in history] == pytest.approx(losses)


def runs(folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("recsparse")
    return client.search_runs([experiment.experiment_id], order_by=["start_time"])


def test_it_is_asked_for_resume_or_fresh_and_nothing_is_removed(small_dataset, killed):
    checkpoint = killed / "model.checkpoints" / "last.safetensors"
    before = checkpoint.read_bytes()
    with pytest.raises(CheckpointError, match=r"pass --resume to resume .* or --fresh to remove"):
        train(small_dataset, "model", config_of())
    assert checkpoint.read_bytes() == before
    assert len(runs(killed)) == 1


def test_a_resumed_training_goes_on_in_its_run_and_ends_as_an_uninterrupted_one(
    small_dataset, killed
):
    first = runs(killed)[0]
    assert first.info.status == "KILLED"
    result = train(small_dataset, "model", config_of(), resume=True)
    (run,) = runs(killed)
    assert (run.info.run_id, run.info.status) == (first.info.run_id, "FINISHED")
    assert result.run_id == run.info.run_id
    client = MlflowClient(f"sqlite:///{killed}/mlflow.db")
    steps = [each.step for each in client.get_metric_history(result.run_id, "train_loss")]
    assert steps == [0, 1, 2, 3]
    assert len(run.inputs.dataset_inputs) == 3
    whole = train(small_dataset, "whole", config_of())
    for name, value in load_model(killed / "whole").model.state().items():
        assert value.equal(result.model.model.state()[name]), name
    assert whole.run_id != result.run_id
    assert not (killed / "model.checkpoints").exists()


def test_a_fresh_training_starts_anew_in_a_run_of_its_own(small_dataset, killed):
    result = train(small_dataset, "model", config_of("seed=1"), fresh=True)
    assert [run.info.status for run in runs(killed)] == ["KILLED", "FINISHED"]
    assert result.run_id == runs(killed)[1].info.run_id
    assert not (killed / "model.checkpoints").exists()


def test_both_are_refused(small_dataset, killed):
    with pytest.raises(CheckpointError, match="pass --resume or --fresh"):
        train(small_dataset, "model", config_of(), resume=True, fresh=True)
    assert (killed / "model.checkpoints" / "last.safetensors").is_file()


@pytest.mark.parametrize("gone", ["deleted", "finished", "another store", "no word of it"])
def test_where_the_run_is_gone_a_new_one_goes_on(small_dataset, killed, caplog, gone):
    client, (first,) = MlflowClient(f"sqlite:///{killed}/mlflow.db"), runs(killed)
    known = killed / "model.checkpoints" / "run.toml"
    if gone == "deleted":
        client.delete_run(first.info.run_id)
    elif gone == "finished":
        client.set_terminated(first.info.run_id, "FINISHED")
    elif gone == "another store":
        known.write_text(known.read_text().replace("mlflow.db", "other.db"))
    else:
        known.unlink()
    result = train(small_dataset, "model", config_of(), resume=True)
    assert result.run_id != first.info.run_id
    steps = [each.step for each in client.get_metric_history(result.run_id, "train_loss")]
    assert steps == [0, 1, 2, 3]
    said = "in a new run" in caplog.text
    assert said == (gone != "no word of it")


def test_other_settings_are_refused_in_a_run_of_their_own(small_dataset, killed):
    with pytest.raises(CheckpointError, match="another configuration"):
        train(small_dataset, "model", config_of("training.learning_rate=0.5"), resume=True)
    assert [run.info.status for run in runs(killed)] == ["KILLED", "FAILED"]
    assert (killed / "model.checkpoints" / "last.safetensors").is_file()
    train(small_dataset, "model", config_of(), resume=True)


def test_another_dataset_is_refused(small_dataset, killed, small_log):
    from recsparse.stages.prepare import prepare

    prepare(small_log / "log.parquet", killed / "other", config=load_config(None, ["seed=9"]))
    with pytest.raises(CheckpointError, match="another dataset"):
        train(killed / "other", "model", config_of(), resume=True)


def test_a_checkpoint_of_an_older_build_is_named(small_dataset, workplace):
    folder = workplace / "model.checkpoints"
    folder.mkdir()
    (folder / "last.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"pass --resume to resume .* or --fresh"):
        train(small_dataset, "model", config_of())
    with pytest.raises(CheckpointError, match="is a pickle of an older build"):
        train(small_dataset, "model", config_of(), resume=True)
    train(small_dataset, "model", config_of(), fresh=True)
    assert not folder.exists()


def test_a_model_without_networks_is_just_trained_again(small_dataset, workplace, monkeypatch):
    config = load_config(None, ["model.kind=ease"])
    with monkeypatch.context() as patch:
        patch.setattr(fitted, "fit_on", lambda *_: (_ for _ in ()).throw(PowerCutError))
        with pytest.raises(PowerCutError):
            train(small_dataset, "model", config)
    first = tomllib.loads((workplace / "model.checkpoints" / "run.toml").read_text())
    result = train(small_dataset, "model", config)
    assert result.run_id != first["run_id"]
    shutil.rmtree(workplace / "model")
