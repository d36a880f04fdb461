"""A model of the same dataset, settings and version is not trained again unasked."""

import shutil

import mlflow
import pytest

from recsparse.config.toml_reader import load_config
from recsparse.scoring.model_folder import read_model_description
from recsparse.stages import nothing_new
from recsparse.stages.prepare import prepare
from recsparse.stages.train import train
from tests.conftest import SMALL_NETWORK

EASE = ("model.kind=ease",)


def trained(dataset, *settings, out="model", **options):
    config = load_config(None, [*(settings or EASE)])
    return train(dataset, out, config, **{"again": False, **options})


def test_a_model_of_the_same_request_stays_as_it_is(small_dataset, workplace, caplog):
    first = trained(small_dataset)
    assert first.is_new
    assert "nothing is new" not in caplog.text
    second = trained(small_dataset)
    assert not second.is_new
    assert (second.run_id, second.validation, second.fit_seconds) == (
        first.run_id, first.validation, first.fit_seconds,
    )  # fmt: skip
    assert second.model.model.digest() == first.model.model.digest()
    assert "nothing is new since model was trained" in caplog.text
    assert "pass --again to train it again" in caplog.text


def test_who_asks_for_it_gets_it_trained_again(small_dataset, workplace):
    first = trained(small_dataset)
    again = trained(small_dataset, again=True)
    assert again.is_new
    assert again.run_id != first.run_id


def test_python_trains_whenever_it_is_called(small_dataset, workplace):
    config = load_config(None, [*EASE])
    assert (
        train(small_dataset, "model", config).run_id != train(small_dataset, "model", config).run_id
    )


@pytest.mark.parametrize(
    "settings",
    [
        (*EASE, "model.regularisation=7.0"),
        (*EASE, "tracking.register_as=shelf"),
        (*EASE, "tracking.experiment=another"),
        (*EASE, "seed=3"),
    ],
)
def test_another_request_is_trained(settings, small_dataset, workplace):
    trained(small_dataset)
    assert trained(small_dataset, *settings).is_new


def test_new_rows_are_trained_on(small_log, workplace):
    items = small_log / "items.parquet"
    prepare(small_log / "log.parquet", "dataset", items)
    trained("dataset")
    assert not trained("dataset").is_new
    prepare(small_log / "log.parquet", "dataset", items, load_config(None, ["seed=5"]))
    assert trained("dataset").is_new


def test_the_same_night_may_be_run_again(small_dataset, workplace):
    trained(small_dataset, *SMALL_NETWORK, out="model-25")

    def night():
        return trained(
            small_dataset, *SMALL_NETWORK, out="model-26", continue_from="model-25", fresh=True
        )

    assert night().is_new
    assert not night().is_new


def test_another_version_trains_again(small_dataset, workplace, monkeypatch):
    trained(small_dataset)
    monkeypatch.setattr(nothing_new, "version", lambda _: "9.9")
    assert trained(small_dataset).is_new


def test_a_training_that_was_not_recorded_to_its_end_is_done_again(small_dataset, workplace):
    first = trained(small_dataset)
    client = mlflow.MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    client.update_run(first.run_id, status="KILLED")
    second = trained(small_dataset)
    assert second.is_new
    client.delete_run(second.run_id)
    assert trained(small_dataset).is_new


def test_a_run_that_mlflow_has_opened_is_joined(small_dataset, workplace, monkeypatch):
    trained(small_dataset)
    client = mlflow.MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    run = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run)
    assert trained(small_dataset).run_id == run


def test_a_model_that_was_changed_or_is_being_trained_again_is_trained(small_dataset, workplace):
    trained(small_dataset)
    (workplace / "model.checkpoints").mkdir()
    assert trained(small_dataset, fresh=True).is_new
    weights = workplace / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert trained(small_dataset, overwrite=True).is_new


def test_code_of_ones_own_may_have_changed(small_dataset, workplace, monkeypatch):
    (workplace / "my_metrics.py").write_text(
        "def first(ranked, relevant, k):\n    return float(ranked[0] in relevant)\n"
    )
    monkeypatch.syspath_prepend(str(workplace))
    settings = (*EASE, "evaluation.metrics=['ndcg@10', 'my_metrics:first@1']")
    config = load_config(None, [*settings])
    assert nothing_new._has_own_code(config)
    assert not nothing_new._has_own_code(load_config(None, [*EASE]))


def test_what_tells_requests_apart_is_in_the_folder(small_dataset, workplace):
    trained(small_dataset)
    assert len(read_model_description(workplace / "model")["training"]["request"]) == 64


def test_a_closed_form_model_to_continue_from_is_said_to_have_no_effect(
    small_dataset, workplace, caplog
):
    trained(small_dataset)
    assert "continue from" not in caplog.text
    shutil.copytree("model", "yesterday")
    found = trained(small_dataset, out="today", continue_from="yesterday")
    assert found.is_new
    assert "yesterday has nothing to continue from but its settings: a model of the kind ease" in (
        caplog.text
    )


def test_a_network_to_continue_from_is_nothing_to_tell_of(
    small_dataset, trained_folder, workplace, caplog
):
    trained(small_dataset, *SMALL_NETWORK, continue_from=trained_folder / "sparse_grid")
    assert "nothing to continue from" not in caplog.text
