"""What MLflow's own searches say of a model: its figures, the data that they are of, its tags."""

import json
import math
import shutil

import mlflow
import pandas as pd
import pytest
from mlflow.entities import LoggedModelStatus
from mlflow.tracking import MlflowClient

from recsparse.config.config import TrackingConfig
from recsparse.config.toml_reader import load_config
from recsparse.digest import folder_digest
from recsparse.evaluation.slices import slice_key
from recsparse.stages.evaluate import evaluate
from recsparse.stages.train import train
from recsparse.tracking.open_run import log_to_run, start_run
from tests.conftest import SMALL_NETWORK, forget_mlflow


@pytest.fixture(scope="module")
def compared(small_dataset, tmp_path_factory, empty_store):
    """A folder with two models and a report on them, and what the report says."""
    folder = tmp_path_factory.mktemp("compared")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        forget_mlflow(patch)
        patch.chdir(folder)
        train(small_dataset, "first", load_config(None, ["model.kind=popularity", "seed=3"]))
        train(small_dataset, "second", load_config(None, list(SMALL_NETWORK)))
        comparison = evaluate(["first", "second"], small_dataset, "report")
    return folder, comparison


@pytest.fixture
def client(compared, monkeypatch):
    uri = f"sqlite:///{compared[0]}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return MlflowClient(uri)


def models(client, query=None, **more):
    experiments = [each.experiment_id for each in client.search_experiments()]
    return mlflow.search_logged_models(experiments, query, output_format="list", **more)


def figures(model, name):
    return [each for each in model.metrics if each.key == name]


def test_models_are_ranked_by_their_test_figures(client, compared):
    means = compared[1].table["ndcg@10"]
    order = [{"field_name": "metrics.test_ndcg_at_10", "ascending": False}]
    found = models(client, order_by=order)
    assert [figures(each, "test_ndcg_at_10")[0].value for each in found] == sorted(
        means, reverse=True
    )
    between = means.mean()
    (best,) = models(client, f"metrics.test_ndcg_at_10 > {between}")
    assert best.model_id == found[0].model_id
    data = [{"dataset_name": "dataset/test"}]
    assert len(models(client, f"metrics.test_ndcg_at_10 > {between}", datasets=data)) == 1
    data = [{"dataset_name": "dataset/validation"}]
    assert models(client, f"metrics.test_ndcg_at_10 > {between}", datasets=data) == []


def test_a_model_has_the_figures_of_every_epoch_with_their_data(client, small_dataset):
    (model,) = models(client, "tags.kind = 'sparse_grid'")
    assert (model.name, model.status, model.model_type) == (
        "model", LoggedModelStatus.READY, "ranker",
    )  # fmt: skip
    digest = folder_digest(small_dataset)[:36]
    (run,) = client.search_runs([model.experiment_id], "tags.kind = 'sparse_grid'")
    assert model.source_run_id == run.info.run_id
    assert [each.model_id for each in run.outputs.model_outputs] == [model.model_id]
    for name, part, steps in (
        ("train_loss", "train", [0, 1]),
        ("validation_ndcg", "validation", [0, 1]),
        ("validation_ndcg_at_10", "validation", [0]),
        ("test_ndcg_at_10", "test", [0]),
    ):
        found, of_run = figures(model, name), client.get_metric_history(run.info.run_id, name)
        assert [each.step for each in found] == steps
        assert [each.value for each in found] == [each.value for each in of_run]
        assert {(each.dataset_name, each.dataset_digest) for each in found} == {
            (f"dataset/{part}", digest)
        }
    (seconds,) = figures(model, "fit_seconds")
    assert seconds.dataset_name is None
    assert model.params == run.data.params


def test_a_model_says_what_it_is_and_comes_from(client, small_dataset):
    (model,) = models(client, "tags.kind = 'popularity'")
    assert model.tags.items() >= {
        "dataset": str(small_dataset),
        "dataset_digest": folder_digest(small_dataset)[:36],
        "seed": "3",
    }.items()  # fmt: skip
    assert {"host", "recsparse_version"} <= set(model.tags)
    run = client.get_run(model.source_run_id)
    assert run.data.tags.items() >= model.tags.items()


def test_a_comparison_has_what_it_read_and_what_it_found(client, compared, small_dataset):
    experiments = [each.experiment_id for each in client.search_experiments()]
    (found,) = client.search_runs(experiments, "tags.models = 'first, second'")
    assert found.info.run_name.startswith("evaluate-20")
    run = client.get_run(found.info.run_id)
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.tags[0].value) == ("dataset/test", "testing")
    assert json.loads(data.dataset.source) == {"uri": str(small_dataset)}
    read = {each.model_id for each in run.inputs.model_inputs}
    assert read == {each.model_id for each in models(client)}
    for name, mean in compared[1].table["ndcg@10"].items():
        assert run.data.metrics[f"{name}/test_ndcg_at_10"] == mean


def test_a_comparison_has_pictures_and_tables(client, compared):
    experiments = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.models = 'first, second'")
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {
        "comparison.png",
        "gain_of_first_over_each.png",
        "ndcg_10_by_items_known_of_the_user.png",
        "ndcg_by_length_of_the_list.png",
        "popularity_of_what_is_recommended_and_consumed.png",
        "report.html",
    } <= files
    examples = client.load_table(run.info.experiment_id, "examples.json", [run.info.run_id])
    assert set(examples["model"]) == {"first", "second"}
    assert examples["place"].min() == 1
    slices = client.load_table(run.info.experiment_id, "test_slices.json", [run.info.run_id])
    pd.testing.assert_frame_equal(
        slices[["model", "slice", "users", "metric"]],
        compared[1].slices[["model", "slice", "users", "metric"]],
        check_dtype=False,
    )
    figures = run.data.metrics
    chosen = compared[1].slices
    chosen = chosen[chosen["metric"] == "ndcg@10"].dropna(subset="mean")
    assert len(chosen)
    for row in chosen.itertuples():
        name = f"test_{slice_key(row.slice)}_ndcg_at_10"
        assert figures[f"{row.model}/{name}"] == row.mean


def test_a_figure_that_is_not_defined_is_of_the_run_alone(workplace):
    """Of a logged model, MLflow keeps NaN as 0."""
    with start_run(TrackingConfig(), workplace, "run", with_model=True) as run:
        run.log_metrics({"test_ndcg@10": math.nan, "test_recall@10": 0.25})
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    (model,) = client.search_logged_models([client.get_run(run.run_id).info.experiment_id])
    assert [each.key for each in model.metrics] == ["test_recall_at_10"]
    assert math.isnan(client.get_run(run.run_id).data.metrics["test_ndcg_at_10"])


def test_a_model_whose_training_fails_is_marked_so_and_goes_on_when_it_is_resumed(workplace):
    with (  # noqa: PT012 — the job is what fails
        pytest.raises(ValueError, match="half-way"),
        start_run(TrackingConfig(), workplace, "run", with_model=True) as first,
    ):
        first.log_metrics({"train_loss": 2.0}, step=0)
        raise ValueError("half-way")
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    assert client.get_logged_model(first.model_id).status == LoggedModelStatus.FAILED
    with start_run(
        TrackingConfig(), workplace, "run", resume_run=first.run_id, with_model=True
    ) as second:
        assert client.get_logged_model(first.model_id).status == LoggedModelStatus.PENDING
        second.log_metrics({"train_loss": 2.0}, step=0)
        second.log_metrics({"train_loss": 1.0}, step=1)
    assert second.model_id == first.model_id
    losses = client.get_logged_model(first.model_id).metrics
    assert [(each.step, each.value) for each in losses] == [(0, 2.0), (1, 1.0)]


def test_figures_of_a_run_without_a_model_are_of_the_run_alone(workplace):
    with start_run(TrackingConfig(), workplace, "run") as run:
        pass
    log_to_run(TrackingConfig(), workplace, run.run_id, {"test_ndcg@10": 0.5}, {"a": "b"})
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    found = client.get_run(run.run_id)
    assert found.data.metrics == {"test_ndcg_at_10": 0.5}
    assert client.search_logged_models([found.info.experiment_id]) == []


def test_a_blend_says_its_parts_and_what_it_continues_from(workplace, small_dataset):
    parts = 'model.parts=[{kind="popularity"},{kind="ease"}]'
    config = load_config(None, ["model.kind=blend", parts, "model.weights=[0.5,1.0]"])
    train(small_dataset, "before", config)
    result = train(small_dataset, "blend", config, continue_from="before")
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    run = client.get_run(result.run_id)
    (output,) = run.outputs.model_outputs
    expected = {"parts": "popularity, ease", "parent_model": str(workplace / "before")}
    assert run.data.tags.items() >= expected.items()
    assert client.get_logged_model(output.model_id).tags.items() >= expected.items()
    files = {file.path for file in client.list_artifacts(result.run_id)}
    assert "part_weights.png" in files
