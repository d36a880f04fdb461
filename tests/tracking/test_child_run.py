from datetime import UTC, datetime

from mlflow.tracking import MlflowClient

from recsparse.config.config import TrackingConfig
from recsparse.tracking.child_run import ChildRun, record_child
from recsparse.tracking.open_run import start_run

CHILD = ChildRun(
    name="trial 1",
    status="KILLED",
    started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    ended=datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC),
    params={"model": {"kind": "ease", "training": {"epochs": 3}}},
    metrics={"validation_ndcg@10": 0.25},
    steps={0: {"validation_ndcg": 0.1}, 1: {"validation_ndcg": 0.2}},
    tags={"state": "pruned"},
)


def test_a_run_within_a_run_holds_what_it_is_of(workplace):
    with start_run(TrackingConfig(), workplace, "search") as run:
        run_id = record_child(run, CHILD)
    store = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    found = store.get_run(run_id)
    assert (found.info.run_name, found.info.status) == ("trial 1", "KILLED")
    assert found.info.experiment_id == store.get_run(run.run_id).info.experiment_id
    assert found.info.end_time - found.info.start_time == 2_000
    assert found.data.params == {"model.kind": "ease", "model.training.epochs": "3"}
    assert found.data.metrics == {"validation_ndcg_at_10": 0.25, "validation_ndcg": 0.2}
    history = store.get_metric_history(run_id, "validation_ndcg")
    assert [(each.step, each.value) for each in history] == [(0, 0.1), (1, 0.2)]
    assert found.data.tags["mlflow.parentRunId"] == run.run_id
    assert found.data.tags["state"] == "pruned"
    assert store.get_run(run.run_id).data.metrics == {}


def test_a_store_that_does_not_answer_costs_a_warning_alone(workplace, monkeypatch, caplog):
    def gone(*args, **kwargs):
        raise ConnectionError("no route")

    with start_run(TrackingConfig(), workplace, "search") as run:
        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, "create_run", gone)
            assert record_child(run, CHILD) is None
        assert "trial 1 is not recorded in MLflow: no route" in caplog.text
        assert record_child(run, CHILD) is not None
