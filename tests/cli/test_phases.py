"""Every command that may take long says in a log what it is doing, phase by phase."""

import json
import threading

import fsspec
import pandas as pd
import pytest

from recsparse.cli import reporters as progress
from recsparse.cli.exit import exit_on_error
from recsparse.cli.main import app
from recsparse.cli.reporters import LogReporter
from recsparse.config.config import TrackingConfig
from recsparse.stages import data
from recsparse.tracking.open_run import start_run
from tests.cli.conftest import lines, sets

EASE = sets(["model.kind=ease"])
RUN = ["opening the run in MLflow", "recording the dataset"]
END = "ending the run in MLflow"


@pytest.fixture
def phases(workplace, capfd):
    """Run a command line without a terminal and return the phases that it names, in order."""

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            exit_on_error(lambda: app([*map(str, words), "--json"]))
        out, err = capfd.readouterr()
        assert not ended.value.code, err
        assert json.loads(out) is not None
        # Further lines of a phase have a colon behind its name.
        named = [line for line in lines(err) if ": " not in line]
        # On a busy machine that may take long, too.
        assert named[:1] == ([] if "--quiet" in words else ["loading libraries"])
        return named[1:]

    return run


@pytest.fixture
def memory(workplace):
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


@pytest.fixture
def pairs(workplace):
    table = pd.DataFrame({"user_id": [0, 1, 2], "item_id": [2, 3, 4], "score": [0.5, 0.4, 0.3]})
    table.to_parquet("scores.parquet", index=False)
    table.drop(columns="score").to_parquet("pairs.parquet", index=False)


def test_prepare_names_what_it_reads_fits_and_writes(phases, small_log):
    fit = "fitting text, features and orders"
    assert phases("prepare", small_log / "log.parquet", "--out", "made") == [
        "looking through the log", "reading the log", "sorting and cleaning", "splitting",
        fit, f"{fit} · ids, text and features", f"{fit} · orders",
        "writing the rejected rows", "computing checksums", "loading the dataset",
    ]  # fmt: skip


def test_what_is_fetched_and_uploaded_is_named(phases, memory, small_log, small_dataset):
    memory.put(f"{small_dataset}/", "/shop/dataset", recursive=True)
    words = ["--append", "memory://shop/dataset", "--again", "--out", "memory://shop/more"]
    said = phases("prepare", small_log / "log.parquet", *words)
    assert said[:3] == ["fetching dataset", "looking at the output", "looking through the log"]
    written = ["writing the rejected rows", "computing checksums", "uploading"]
    assert said[-5:] == [*written, "loading the dataset", "loading the dataset · fetching more"]
    said = phases("describe", "memory://shop/dataset")
    assert said[:2] == ["fetching dataset", "loading the dataset"]


def test_describe_names_what_it_reads_and_draws(phases, small_log, small_dataset):
    said = phases("describe", small_log / "log.parquet", "--html", "log.html")
    reading = ["looking through the log", "reading the log", "sorting and counting"]
    assert said == [*reading, "drawing the page"]
    said = phases("describe", small_dataset, "--html", "dataset.html")
    assert said == ["loading the dataset", "counting", "drawing the page"]


def test_the_count_of_events_is_named(phases):
    rows = {"user_id": [1, 2], "item_id": [3, 4], "event": ["view", "buy"]}
    pd.DataFrame(rows).to_parquet("log.parquet", index=False)
    assert phases("describe", "log.parquet")[-1] == "counting the events"


def test_train_names_all_from_the_dataset_to_the_store(phases, small_dataset):
    assert phases("train", small_dataset, "--out", "model", *EASE, "--set", "refit=true") == [
        "loading the dataset", "reading the validation part", *RUN,
        "laying out the rows", "computing what tells this training from others",
        "fitting ease", "fitting ease · inverting the Gram matrix", "validating the model",
        "laying out the rows of training and validation",
        "computing what tells this training from others",
        "fitting ease", "fitting ease · inverting the Gram matrix",
        "saving the model", "saving the model · computing checksums",
        "recording the model", END,
    ]  # fmt: skip


def test_a_model_to_continue_from_is_named_as_it_is_loaded(phases, small_dataset, trained_folder):
    known = trained_folder / "popularity"
    words = ["--from", known, "--out", "model", "--set", "model.kind=popularity"]
    said = phases("train", small_dataset, *words)
    assert said[:3] == ["loading the dataset", "loading the model", "reading the validation part"]


def test_tune_names_what_comes_before_and_after_its_trials(phases, small_dataset):
    words = ["--out", "best.toml", *EASE, "--try", "regularisation=[1.0]"]
    tuning = "tuning ease"
    assert phases("tune", small_dataset, *words) == [
        "loading the dataset", "reading the validation part", *RUN,
        "laying out the rows", tuning, f"{tuning} · fitting ease",
        f"{tuning} · fitting ease · inverting the Gram matrix", "recording the trials", END,
    ]  # fmt: skip


def test_evaluate_names_each_model_and_the_report(phases, small_dataset, trained_folder):
    models = trained_folder / "popularity", trained_folder / "sparse_grid"
    assert phases("evaluate", *models, small_dataset, "--out", "report") == [
        "loading the dataset", "checking the models", "looking for MLflow", *RUN,
        "reading the test part", "loading popularity", "evaluating popularity",
        "loading sparse_grid", "evaluating sparse_grid", "comparing",
        "writing the report", "writing the report · computing checksums", "recording the report",
        END, "recording the figures of the models",
    ]  # fmt: skip


def test_evaluate_file_names_what_it_reads_matches_and_ranks(phases, pairs, small_dataset):
    assert phases("evaluate-file", "scores.parquet", small_dataset) == [
        "loading the dataset", "reading the scores", "reading the test part",
        "matching users and items", "ranking", "comparing",
    ]  # fmt: skip


def test_score_names_what_it_starts_from(phases, pairs, small_dataset, trained_folder):
    words = ["--candidates", "pairs.parquet", "--out", "out.parquet", "--dataset", small_dataset]
    said = phases("score", trained_folder / "popularity", *words, "--history", "pairs.parquet")
    assert said == [
        "loading the model", "loading the dataset", "taking histories from the dataset",
        "reading the history", "looking through the candidates", "scoring",
        "scoring · joining the parts",
    ]  # fmt: skip


def test_recommend_names_its_model_and_its_users(phases, pairs, memory, trained_folder):
    memory.put(f"{trained_folder / 'popularity'}/", "/shop/model", recursive=True)
    words = ["--users", "pairs.parquet", "--out", "lists"]
    assert phases("recommend", "memory://shop/model", *words) == [
        "fetching model", "loading the model", "reading the users",
        "looking through the users and what is known of them", "recommending",
    ]  # fmt: skip


def test_runs_names_what_it_sends_and_reads(phases, workplace):
    with start_run(TrackingConfig(), workplace, "first"):
        pass
    assert phases("runs", ".", "--send") == ["sending what was kept", "reading the runs"]


def test_a_phase_without_steps_says_that_it_goes_on(
    phases, pairs, small_dataset, monkeypatch, capfd
):
    heard = threading.Event()
    say, load = LogReporter.say, data.load_dataset

    def listened(self, line):
        say(self, line)
        if line.startswith("loading the dataset: 0:00:"):
            heard.set()

    def slow(*args):
        assert heard.wait(60)
        return load(*args)

    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.01)
    monkeypatch.setattr(LogReporter, "say", listened)
    monkeypatch.setattr(data, "load_dataset", slow)
    assert phases("evaluate-file", "scores.parquet", small_dataset)[-1] == "comparing"


def test_a_quiet_command_names_nothing(phases, pairs, small_dataset):
    assert phases("evaluate-file", "scores.parquet", small_dataset, "--quiet") == []
    assert phases("runs", ".", "--quiet") == []
