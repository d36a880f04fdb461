"""Rankings judged by MLflow's own function."""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry
from mlflow.tracking import MlflowClient

from recsparse.errors import InputError
from recsparse.stages.mlflow_evaluator import RankerEvaluator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(workplace, monkeypatch):
    """A store in use, and the evaluator registered as its entry point does it."""
    if not _model_evaluation_registry.is_registered("recsparse"):
        _model_evaluation_registry.register("recsparse", RankerEvaluator)
    uri = f"sqlite:///{workplace / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("ranking", artifact_location=(workplace / "artifacts").as_uri())
    mlflow.set_experiment("ranking")
    yield MlflowClient(uri)
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    users, items = np.meshgrid(np.arange(20), np.arange(15), indexing="ij")
    return pd.DataFrame(
        {
            "user_id": users.ravel(),
            "item_id": items.ravel(),
            "score": rng.permutation(300).astype(float),
            "target": (rng.random(300) < 0.2).astype(int),
            "group": np.where(users.ravel() < 10, "old", "new"),
        }
    )


def mean_recall(frame, k):
    """By sets, over the users with targets."""
    found = []
    for _, rows in frame.groupby("user_id"):
        best = set(rows.sort_values("score", ascending=False)["item_id"].head(k))
        wanted = set(rows.loc[rows["target"] > 0, "item_id"])
        if wanted:
            found.append(len(best & wanted) / len(wanted))
    return np.mean(found)


CONFIG = {"metrics": ["recall@5", "ndcg@10"], "slices": ["group"]}


def test_a_frame_of_scored_candidates_is_judged(store, frame, workplace):
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            data=frame, targets="target", predictions="score", model_type="ranker",
            evaluators="recsparse", evaluator_config=CONFIG,
        )  # fmt: skip
    assert result.metrics["recall_at_5"] == pytest.approx(mean_recall(frame, 5))
    old = frame[frame["group"] == "old"]
    assert result.metrics["group_old_recall_at_5"] == pytest.approx(mean_recall(old, 5))
    # All is in the run, and comes back from a folder.
    assert store.get_run(run.info.run_id).data.metrics == result.metrics
    names = {file.path for file in store.list_artifacts(run.info.run_id)}
    assert names == {"per_user.parquet", "slices.parquet", "metrics.png", "slices_of_metric.png"}
    assert [*result.artifacts] == ["per_user", "slices", "metrics", "slices_of_metric"]
    result.save(workplace / "saved")
    again = mlflow.models.EvaluationResult.load(str(workplace / "saved"))
    assert again.metrics == result.metrics
    per_user = again.artifacts["per_user"].content
    assert per_user["recall@5"].mean() == pytest.approx(result.metrics["recall_at_5"])
    assert per_user["user_id"].tolist() == list(range(20))
    assert result.artifacts["metrics"].content.size[0] > 100


def test_a_function_is_judged_by_what_it_answers(store, frame):
    def negated(rows):
        assert "target" not in rows
        return -rows["score"]

    def as_frame(rows):
        return pd.DataFrame({"user_id": rows["user_id"], "points": -rows["score"]})

    told = {"targets": "target", "model_type": "ranker", "evaluators": "recsparse"}
    with mlflow.start_run():
        one = mlflow.models.evaluate(negated, frame, evaluator_config=CONFIG, **told)
    with mlflow.start_run():
        other = mlflow.models.evaluate(
            as_frame, frame, predictions="points", evaluator_config=CONFIG, **told
        )
    expected = mean_recall(frame.assign(score=-frame["score"]), 5)
    assert one.metrics["recall_at_5"] == pytest.approx(expected)
    assert other.metrics == one.metrics


def test_a_logged_model_has_the_figures_with_its_dataset(store, frame, trained_folder):
    class Shorter(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input: pd.DataFrame, params=None):
            return model_input["item_id"] * -1.0

    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(name="shorter", python_model=Shorter())
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            info.model_uri, frame, targets="target", model_type="ranker", evaluators="recsparse",
            evaluator_config=CONFIG,
        )  # fmt: skip
    expected = mean_recall(frame.assign(score=-frame["item_id"]), 5)
    assert result.metrics["recall_at_5"] == pytest.approx(expected)
    model = store.get_logged_model(info.model_id)
    recorded = {metric.key: metric for metric in model.metrics}
    assert recorded["recall_at_5"].value == pytest.approx(expected)
    assert recorded["recall_at_5"].dataset_digest


def test_undefined_figures_are_left_out(store, frame):
    frame = frame.assign(target=(frame["user_id"] == 3).astype(int))
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=frame, targets="target", predictions="score", model_type="ranker",
            evaluators="recsparse", evaluator_config=CONFIG,
        )  # fmt: skip
    assert (result.metrics["users"], result.metrics["users_without_targets"]) == (1, 19)
    assert "group_new_recall_at_5" not in result.metrics
    assert "group_old_recall_at_5" in result.metrics


def test_the_default_columns_need_no_names(store, frame):
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=frame, model_type="ranker", evaluators="recsparse",
            evaluator_config={**CONFIG, "prefix": "test_"},
        )  # fmt: skip
    assert result.metrics["test_recall_at_5"] == pytest.approx(mean_recall(frame, 5))


def test_numbers_without_columns_are_no_candidates(store):
    with (
        mlflow.start_run(),
        pytest.raises(InputError, match="must be a pandas frame with a column"),
    ):
        mlflow.models.evaluate(
            data=np.ones((3, 2)), targets=np.ones(3), model=lambda rows: rows[:, 0],
            model_type="ranker", evaluators="recsparse",
        )  # fmt: skip


def test_other_kinds_of_models_are_left_to_other_evaluators():
    assert RankerEvaluator.can_evaluate(model_type="ranker", evaluator_config={})
    assert not RankerEvaluator.can_evaluate(model_type="regressor", evaluator_config={})


def test_the_entry_point_names_the_class_and_loads_no_more_than_mlflow():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = project["entry-points"]["mlflow.model_evaluator"]["recsparse"]
    module, _, name = named.partition(":")
    assert getattr(import_module(module), name) is RankerEvaluator
    code = f"import sys, {module}; print('recsparse.evaluation' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout == "False\n"


def test_the_page_on_it_runs(store, capsys):
    text = (ROOT / "docs" / "how-to" / "mlflow-evaluate.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, "mlflow-evaluate.md", "exec"), {})
    # ann: tea and oil are wanted, tea and jam listed; bob: both are listed.
    assert capsys.readouterr().out == f"{(1 / 2 + 1 / 1) / 2} {1 / 2}\n"
