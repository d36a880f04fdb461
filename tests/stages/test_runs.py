import pytest
from mlflow.tracking import MlflowClient

from recsparse.config.config import TrackingConfig
from recsparse.errors import MissingFileError
from recsparse.stages.runs import runs
from recsparse.tracking.open_run import start_run


def test_runs_have_their_names_states_and_figures(workplace):
    with start_run(TrackingConfig(), workplace, "first") as run:
        run.log_metrics({"validation_ndcg@10": 0.5, "train_loss": 1.0, "test_ndcg@10": 0.25})
    with pytest.raises(ValueError, match="bad"), start_run(TrackingConfig(), workplace, "second"):
        raise ValueError("bad")
    found = runs(workplace, TrackingConfig(experiment="recsparse"))
    figures = ["test_ndcg_at_10", "validation_ndcg_at_10"]
    assert list(found) == ["run_id", "experiment", "name", "status", "started", *figures]
    assert found["name"].tolist() == ["second", "first"]
    assert found["status"].tolist() == ["FAILED", "FINISHED"]
    assert found.loc[1, figures].tolist() == [0.25, 0.5]
    assert found.loc[0, figures].isna().all()


def test_an_experiment_without_runs_has_no_rows(workplace):
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    client.create_experiment("empty")
    found = runs(workplace, TrackingConfig(experiment="empty"))
    assert list(found) == ["run_id", "experiment", "name", "status", "started"]
    assert len(found) == 0


def test_a_folder_without_a_store_is_told_and_stays_empty(workplace):
    (workplace / "mlflow.db").unlink()
    with pytest.raises(MissingFileError, match="there must be an MLflow store at"):
        runs(workplace)
    assert list(workplace.iterdir()) == []


def test_runs_within_others_are_listed_where_they_are_asked_for(workplace):
    with start_run(TrackingConfig(), workplace, "search") as parent:
        tags = {"mlflow.parentRunId": parent.run_id}
        with start_run(TrackingConfig(), workplace, "trial 1", tags):
            pass
    listed, all_there = runs(workplace), runs(workplace, children=True)
    assert "search" in [*listed["name"]]
    assert [*all_there["name"]] == ["trial 1", *listed["name"]]
    asked = runs(workplace, query="attributes.run_name = 'trial 1'")
    assert asked["name"].tolist() == ["trial 1"]
