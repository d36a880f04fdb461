import json
import subprocess
import sys
from dataclasses import asdict
from importlib.metadata import entry_points

import pandas as pd
import pytest
import typer

from recsparse.cli.exit import exit_on_error
from recsparse.cli.main import app, run
from recsparse.errors import InputError
from recsparse.metrics.definitions import DEFINITIONS
from recsparse.scoring.model_folder import load_model
from recsparse.stages.describe import describe
from tests.cli.conftest import sets
from tests.conftest import SMALL_NETWORK

COMMANDS = [
    "fetch", "prepare", "train", "evaluate", "score", "recommend", "similar", "vectors", "tune",
    "describe", "doctor", "runs", "metrics", "evaluate-file", "config", "promote", "backtest",
]  # fmt: skip
# What `runs` lists after the first job, the newest first.
JOBS = ["evaluate", "popularity", "sparse_grid"]


def as_json(outcome):
    """The one line of JSON on standard output; nothing was said on standard error."""
    assert outcome.status == 0, outcome.err
    assert outcome.err == ""
    assert outcome.out.count("\n") == 1
    return json.loads(outcome.out)


def test_a_model_is_trained_again_when_that_is_asked_for(recsparse, small_dataset, workplace):
    words = ["train", small_dataset, "--out", "m", "--json", "--set", "model.kind=popularity"]
    first, second, third = (as_json(recsparse(*words, *more)) for more in ([], [], ["--again"]))
    assert [each["trained"] for each in (first, second, third)] == ["now", "before", "now"]
    assert second["mlflow model"] == "sent before"
    assert second["validation ndcg@10"] == first["validation ndcg@10"]


def test_a_job_from_the_log_to_scores_and_lists(recsparse, small_log, workplace):
    log, items = small_log / "log.parquet", small_log / "items.parquet"
    prepared = as_json(recsparse("prepare", log, "--out", "data", "--items", items, "--json"))
    assert (prepared["dataset"], prepared["log_rows"], prepared["users"]) == ("data", 400, 40)

    words = ["train", "data", "--out", "ours", "--json", *sets(SMALL_NETWORK)]
    trained = as_json(recsparse(*words))
    assert trained["model"] == "ours"
    assert 0 <= trained["validation ndcg@10"] <= 1
    words = ["train", "data", "--out", "popular", "--json", "--set", "model.kind=popularity"]
    as_json(recsparse(*words))

    compared = as_json(recsparse("evaluate", "ours", "popular", "data", "--out", "rep", "--json"))
    assert list(compared) == ["ours", "popular"]
    assert 0 <= compared["ours"]["recall@20"] <= 1
    assert (workplace / "rep" / "comparison.parquet").is_file()

    words = ["recommend", "popular", "--out", "candidates.parquet", "-k", 5, "--dataset", "data"]
    assert as_json(recsparse(*words, "--json")) == {
        "recommendations": "candidates.parquet",
        "users": 40,
    }
    candidates = pd.read_parquet("candidates.parquet").drop(columns="score")
    candidates.to_parquet("candidates.parquet")
    words = ["score", trained["mlflow model"], "--candidates", "candidates.parquet"]
    scored = as_json(recsparse(*words, "--out", "scores.parquet", "--json"))
    assert scored == {"scores": "scores.parquet", "rows": len(candidates)}
    scores = pd.read_parquet("scores.parquet")
    pd.testing.assert_frame_equal(scores[list(candidates)], candidates)

    figures = as_json(recsparse("evaluate-file", "scores.parquet", "data", "--json"))
    assert 0 <= figures["ndcg@10"] <= 1
    assert 0 < figures["coverage@20"] <= 1

    of_all = as_json(recsparse("runs", "--json"))
    listed = [run for run in of_all if run["experiment"] == "recsparse"]
    assert [run["name"].partition("-")[0] for run in listed] == JOBS
    assert listed[2]["test_ndcg_at_10"] == compared["ours"]["ndcg@10"]
    assert listed[0]["test_ndcg_at_10"] is None


def test_a_model_goes_on_with_rows_that_have_come_since(
    recsparse, small_log, trained_folder, workplace
):
    log, ours = small_log / "log.parquet", trained_folder / "sparse_grid"
    as_json(recsparse("prepare", log, "--out", "data", "--json"))
    pd.DataFrame({"user_id": [0, 1], "item_id": [10**6, 10**6]}).to_parquet("later.parquet")
    words = ["prepare", "later.parquet", "--append", "data", "--out", "later", "--json"]
    assert as_json(recsparse(*words))["log_rows"] == 402
    as_json(recsparse("train", "later", "--out", "on", "--from", ours, "--json"))
    before, after = load_model(ours), load_model("on")
    assert after.model.config == before.model.config
    assert len(after.items) == len(before.items) + 1


def test_a_search_gives_the_configuration_of_a_training(recsparse, small_dataset):
    words = ["tune", small_dataset, "--out", "best.toml", "--json", "--set", "model.kind=item_knn"]
    trials = as_json(recsparse(*words, "--try", "neighbours=[1, 9]", "--try", "shrinkage=[0.0]"))
    assert {trial["neighbours"] for trial in trials} == {1, 9}
    words = ["train", small_dataset, "--out", "model", "--config", "best.toml", "--json"]
    trained = as_json(recsparse(*words))
    assert trained["validation ndcg@10"] == trials[0]["ndcg@10"]


def test_users_that_the_model_never_saw_are_folded_in(recsparse, trained_folder):
    pd.DataFrame({"who": ["7", "8"], "item_id": [1, 2]}).astype({"who": int}).to_parquet(
        "h.parquet"
    )
    words = ["recommend", trained_folder / "sparse_grid", "--out", "lists", "-k", 3, "--json"]
    history = ["--history", "h.parquet", "--set", "log.user_column=who"]
    assert as_json(recsparse(*words, *history))["users"] == 2
    assert pd.read_parquet("lists")["user_id"].unique().tolist() == [7, 8]


def test_lists_say_which_items_of_the_history_brought_each_item(
    recsparse, small_dataset, workplace
):
    words = ["train", small_dataset, "--out", "ease", "--json", "--set", "model.kind=ease"]
    as_json(recsparse(*words))
    words = ["recommend", "ease", "--out", "lists.parquet", "-k", 3, "--json"]
    assert as_json(recsparse(*words, "--explain"))["users"] == 40
    model = load_model("ease")
    found = pd.read_parquet("lists.parquet")
    pd.testing.assert_frame_equal(found, model.recommend(k=3, explain=True))
    assert found["explained"].eq(1).all()
    user, seen = (
        ids.index_of(found[name])
        for ids, name in ((model.users, "user_id"), (model.items, "because_1"))
    )
    assert (model.history[user, seen] > 0).all()
    assert "of another job" in recsparse(*words).err


def test_items_get_the_items_that_are_most_like_them(recsparse, trained_folder, workplace):
    pd.DataFrame({"item_id": [3, 5]}).to_csv("items.csv", index=False)
    words = ["similar", trained_folder / "sparse_grid", "--out", "similar.parquet", "-k", 3]
    assert as_json(recsparse(*words, "--json"))["items"] == 20
    every = pd.read_parquet("similar.parquet")
    found = as_json(recsparse(*words, "--items", "items.csv", "--overwrite", "--json"))
    assert found == {"similar items": "similar.parquet", "items": 2}
    expected = every[every["item_id"].isin([3, 5])].reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet("similar.parquet"), expected)


def test_what_a_log_holds_is_described(recsparse, small_log):
    found = as_json(recsparse("describe", small_log / "log.parquet", "--json"))
    assert found == describe(small_log / "log.parquet")


def test_a_page_is_written_of_a_dataset(recsparse, small_dataset, workplace):
    outcome = recsparse("describe", small_dataset, "--html", "page.html", "--memory", "100MB")
    assert (outcome.status, outcome.err) == (0, "")
    assert "cold shares" in outcome.out
    assert str(small_dataset) in (workplace / "page.html").read_text(encoding="utf-8")


def test_several_logs_are_described_as_one(recsparse, small_log):
    log = small_log / "log.parquet"
    found = as_json(recsparse("describe", log, log, "--json"))
    assert found["source"]["path"] == f"{log}, {log}"
    assert found["rows"]["share of duplicate rows"] == 1 / 2


def test_the_installation_is_described(recsparse, workplace):
    found = as_json(recsparse("doctor", "--json"))
    assert found["MLflow store"] == f"sqlite:///{workplace}/mlflow.db"


def test_every_formula_is_shown_with_its_source(recsparse):
    shown = {name: asdict(definition) for name, definition in DEFINITIONS.items()}
    assert as_json(recsparse("metrics", "--json")) == shown
    table = recsparse("metrics").out
    assert all(name in table for name in DEFINITIONS)
    assert "Steck 2018" in table


def test_a_public_set_that_is_there_is_not_fetched_again(recsparse, monkeypatch, workplace):
    monkeypatch.setattr("recsparse.stages.fetch.fetch_public", lambda name, out, on_bytes: out)
    found = as_json(recsparse("fetch", "movielens-100k", "--out", "ml", "--json"))
    assert found["folder"] == "ml"
    assert "may not be passed on" in found["licence"]
    assert "Harper" in found["citation"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["metrics"], "ndcg@k"),
        (["doctor"], "scatter kernels"),
        (["describe", "LOG"], "long tail"),
        (["prepare", "LOG", "--out", "data"], "train_rows"),
        (["train", "DATA", "--out", "m", "--set", "model.kind=popularity"], "validation ndcg@10"),
        (["evaluate", "MODELS/popularity", "MODELS/sparse_grid", "DATA"], "sparse_grid"),
        (["tune", "DATA", "--out", "b.toml", "--set", "model.kind=popularity"], "best first"),
        (["runs", "MODELS"], "FINISHED"),
        (["recommend", "MODELS/popularity", "--out", "l"], "recommended"),
        (["similar", "MODELS/sparse_grid", "--out", "l"], "similar items"),
        (["vectors", "MODELS/popularity", "--out", "l"], "vectors"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_without_json_a_table_is_shown(
    recsparse, small_log, small_dataset, trained_folder, words, shown
):
    places = {"LOG": small_log / "log.parquet", "DATA": small_dataset, "MODELS": trained_folder}
    for name, place in places.items():
        words = [word.replace(name, str(place)) for word in words]
    outcome = recsparse(*words)
    assert outcome.status == 0, outcome.err
    assert shown in " ".join(outcome.out.split())
    assert outcome.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(recsparse, command):
    outcome = recsparse(command, "--help")
    assert outcome.status == 0
    assert f"recsparse {command}" in outcome.out
    assert "--json" in outcome.out


def test_the_help_names_every_command(recsparse):
    outcome = recsparse("--help")
    assert outcome.status == 0
    assert [name for name in COMMANDS if name not in outcome.out] == []
    assert len(app.registered_commands) == len(COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["prepare"],
        ["prepare", "log.parquet"],
        ["train", "--out", "model"],
        ["recommend", "model", "--out", "lists", "-k", "0"],
        ["score", "model", "--candidates", "c", "--out", "o", "--on-unknown", "maybe"],
        ["evaluate", "model"],
        ["evaluate", "model", "data", "--catalogue", "some"],
        ["evaluate-file", "scores", "data", "--include-users", "some"],
        ["no-such-command"],
        ["describe", "log", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_status_two_and_says_how_to_get_help(recsparse, words):
    outcome = recsparse(*words)
    assert outcome.status == 2
    assert outcome.out == ""
    assert "--help" in outcome.err


def test_a_job_that_fails_ends_with_status_one_and_says_how_to_see_more(capfd, monkeypatch):
    def failing():
        raise RuntimeError("no idea")

    monkeypatch.delenv("RECSPARSE_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as ended:
        exit_on_error(failing)
    assert ended.value.code == 1
    expected = "failed: RuntimeError: no idea; RECSPARSE_TRACEBACK=1 shows where\n"
    assert capfd.readouterr() == ("", expected)
    monkeypatch.setenv("RECSPARSE_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="no idea"):
        exit_on_error(failing)


def test_bad_input_ends_with_status_two_whether_tracebacks_are_asked_for_or_not(capfd, monkeypatch):
    def bad():
        raise InputError("x must be y")

    monkeypatch.setenv("RECSPARSE_TRACEBACK", "1")
    with pytest.raises(SystemExit) as ended:
        exit_on_error(bad)
    assert ended.value.code == 2
    assert capfd.readouterr() == ("", "error: x must be y\n")


def test_the_command_and_the_module_are_the_same():
    (command,) = entry_points(group="console_scripts", name="recsparse")
    assert command.load().__code__ is not None
    assert (command.value, run.__name__) == ("recsparse.cli.main:run", "run")
    words = [sys.executable, "-m", "recsparse", "metrics", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout).keys() == DEFINITIONS.keys()
    assert done.stderr == ""


def test_commands_without_mlflow_start_without_it():
    code = "import sys, recsparse.cli.main; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert typer.main.get_command(app).name == "recsparse"
