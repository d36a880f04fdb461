import shutil
import time

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from recsparse.errors import StoreError
from recsparse.scoring.model_folder import load_model
from recsparse.stages import evaluate as evaluating
from recsparse.stages import fitted
from recsparse.stages.tuning import trial_fits as tuning
from recsparse.tracking import contact
from recsparse.tracking.store import local_uri
from tests.cli.conftest import sets
from tests.stores import refusing_address, silent_address

POPULARITY = ("--set", "model.kind=popularity")


def never(*args, **kwargs):
    raise AssertionError("the store was to be asked before the work")


@pytest.fixture
def jobs(small_dataset, trained_folder, workplace, monkeypatch):
    """A command line of each command that speaks to a store; none of them may start its work."""
    monkeypatch.setattr(fitted, "fit_on", never)
    monkeypatch.setattr(tuning, "fit_on", never)
    monkeypatch.setattr(evaluating, "rank_part", never)
    pd.DataFrame({"user_id": [1], "item_id": [5]}).to_parquet("pairs.parquet")
    model = trained_folder / "popularity"
    return {
        "train": ["train", small_dataset, "--out", "model", *POPULARITY],
        "train from": ["train", small_dataset, "--out", "model", "--from", "models:/shelf/1"],
        "tune": ["tune", small_dataset, "--out", "best.toml", *POPULARITY],
        "evaluate": ["evaluate", model, small_dataset, "--out", "report"],
        "evaluate, no report": ["evaluate", model, small_dataset],
        "evaluate an address": ["evaluate", "models:/shelf/1", small_dataset],
        "runs": ["runs", "."],
        "score": ["score", "models:/shelf/1", "--candidates", "pairs.parquet", "--out", "scores"],
        "recommend": ["recommend", "models:/shelf@best", "--out", "lists"],
    }


@pytest.mark.parametrize(
    "name",
    ["train", "train from", "tune", "evaluate", "evaluate, no report", "evaluate an address",
     "runs", "score", "recommend"],
)  # fmt: skip
@pytest.mark.parametrize("answers", ["refuses", "is silent"])
def test_a_dead_address_is_told_before_any_work(
    recsparse, jobs, workplace, monkeypatch, name, answers
):
    monkeypatch.setattr(contact, "CONTACT_SECONDS", 1.0)
    before = sorted(path.name for path in workplace.iterdir())
    with silent_address() as silent:
        uri = silent if answers == "is silent" else refusing_address()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        started = time.monotonic()
        outcome = recsparse(*jobs[name])
        assert time.monotonic() - started < 5
    assert outcome.status == 2, outcome
    assert f"error: the MLflow store {uri} must answer" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    left = sorted(path.name for path in workplace.iterdir() if path.name[0] != ".")
    assert left == [name for name in before if name[0] != "."]


@pytest.mark.parametrize("command", ["train", "tune", "evaluate"])
@pytest.mark.parametrize("setting", ["tracking.register_as=a/b", "tracking.experiment=' '"])
def test_a_name_that_mlflow_refuses_is_told_before_any_work(recsparse, jobs, command, setting):
    outcome = recsparse(*jobs[command], "--set", setting)
    assert outcome.status == 2
    assert setting.split("=")[0] in outcome.err


@pytest.mark.parametrize("command", ["train", "tune", "evaluate"])
def test_a_full_disk_is_told_before_any_work(recsparse, jobs, workplace, monkeypatch, command):
    usage = shutil.disk_usage(workplace)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    outcome = recsparse(*jobs[command])
    assert outcome.status == 2
    assert f"{workplace} must have room for the output" in outcome.err


def test_an_experiment_that_was_deleted_is_told_before_any_work(recsparse, jobs, workplace):
    client = MlflowClient(local_uri(workplace))
    client.delete_experiment(client.create_experiment("gone"))
    outcome = recsparse(*jobs["train"], "--set", "tracking.experiment=gone")
    assert outcome.status == 2
    assert "the experiment 'gone' of" in outcome.err
    assert "must be in use, but it was deleted" in outcome.err


@pytest.mark.parametrize("signs", ["what if?", "a#b", "50% off", "100%25", "a;b", "süß", "a:b c'd"])
def test_a_folder_s_name_may_have_any_signs(recsparse, small_dataset, workplace, signs):
    folder = workplace / signs
    (folder / "deep").mkdir(parents=True)
    (workplace / "mlflow.db").rename(folder / "mlflow.db")
    pd.DataFrame({"user_id": [1], "item_id": [5]}).to_parquet("pairs.parquet")
    settings = ["model.kind=popularity", "tracking.register_as=shelf"]
    trained = recsparse("train", small_dataset, "--out", folder / "model", *sets(settings))
    assert trained.status == 0, trained
    assert sorted(path.name for path in workplace.iterdir()) == sorted([signs, "pairs.parquet"])
    assert "popularity" in recsparse("runs", folder).out
    out = folder / "scores.parquet"
    scored = recsparse("score", "models:/shelf/1", "--candidates", "pairs.parquet", "--out", out)
    assert scored.status == 0, scored
    expected = load_model(folder / "model").score(pd.read_parquet("pairs.parquet"))
    assert pd.read_parquet(out)["score"].tolist() == expected.tolist()
    evaluated = recsparse("evaluate", folder / "model", small_dataset, "--out", folder / "report")
    assert evaluated.status == 0, evaluated
    (run,) = MlflowClient(local_uri(folder)).search_runs(["1", "2"], "tags.models = 'model'")
    assert run.info.artifact_uri.startswith((folder / "mlartifacts").as_uri())
    left = {path.name for path in workplace.iterdir()}
    assert left == {signs, "pairs.parquet"}


def test_a_store_that_goes_away_costs_no_model_and_its_records_can_be_sent_later(
    recsparse, small_dataset, workplace, monkeypatch, caplog
):
    from recsparse.tracking import open_run as tracking

    deliver, down = tracking.deliver, [True]

    def gone_after_the_start(record):
        if down[0] and record.kind not in ("params", "inputs"):
            raise ConnectionError("the server is gone")
        return deliver(record)

    monkeypatch.setattr(tracking, "deliver", gone_after_the_start)
    settings = ["model.kind=popularity", "tracking.register_as=shelf"]
    trained = recsparse("train", small_dataset, "--out", "model", *sets(settings))
    assert trained.status == 0
    assert "not sent" in trained.out
    assert "could not be sent" in caplog.text
    assert f"recsparse runs {workplace} --sync" in caplog.text
    load_model("model")
    assert "RUNNING" in recsparse("runs", ".").out
    down[0] = False
    listed = recsparse("runs", ".", "--send", "--json")
    assert '"FINISHED"' in listed.out
    assert "validation_ndcg_at_10" in listed.out
    assert not any((workplace / "mlflow.unsent").iterdir())
    client = MlflowClient(local_uri(workplace))
    (version,) = client.search_model_versions("name = 'shelf'")
    (run,) = client.search_runs(["2"])
    assert version.run_id == run.info.run_id
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"config.json"}
    scored = recsparse("recommend", "models:/shelf/1", "--out", "lists")
    assert scored.status == 0, scored


def test_records_of_a_model_that_is_no_longer_there_stay_and_are_told(
    recsparse, small_dataset, workplace, monkeypatch, caplog
):
    from recsparse.tracking import open_run as tracking

    deliver = tracking.deliver
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "deliver", never_there)
        assert recsparse("train", small_dataset, "--out", "model", *POPULARITY).status == 0
    assert tracking.deliver is deliver
    (workplace / "model").rename(workplace / "elsewhere")
    assert recsparse("runs", ".", "--send").status == 0
    assert "must hold the model of the run" in caplog.text
    (workplace / "elsewhere").rename(workplace / "model")
    assert recsparse("runs", ".", "--send").status == 0
    assert not any((workplace / "mlflow.unsent").iterdir())


def never_there(record):
    raise ConnectionError("gone")


def test_sending_to_a_store_that_is_still_gone_is_told(recsparse, small_dataset, workplace):
    from recsparse.tracking.outbox import Outbox, Record

    uri = refusing_address()
    outbox = Outbox(workplace / "mlflow.unsent" / "run", never_there)
    outbox.post(Record("params", uri, "run", {"a": "b"}))
    outcome = recsparse("runs", ".", "--send")
    assert outcome.status == 2
    assert f"the MLflow store {uri} must answer" in outcome.err
    assert issubclass(StoreError, ConnectionError)
