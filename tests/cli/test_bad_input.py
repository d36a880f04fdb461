"""Bad input ends with status 2, one clear line on standard error, and nothing half-written."""

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.config.toml_writer import write_toml

LOG = pa.table({"user_id": [1, 1, 2, 2, 3, 3], "item_id": [5, 6, 5, 6, 5, 6]})


NO_IDS = pa.array([], pa.int64())


def write(name, **columns):
    pq.write_table(pa.table(columns), name)
    return name


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def refused(recsparse, workplace):
    """Run a command line that must be refused; return what it said."""

    def run(*words):
        before = contents(workplace)
        outcome = recsparse(*words)
        assert outcome.status == 2, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1
        assert contents(workplace) == before
        return outcome.err

    return run


@pytest.fixture
def model(trained_folder, workplace):
    shutil.copytree(trained_folder / "popularity", "model")
    return workplace / "model"


def an_empty_folder():
    Path("folder").mkdir()
    return "folder"


def a_folder_of_something_else():
    Path("folder").mkdir()
    Path("folder/readme.txt").write_text("no Parquet")
    return "folder"


def a_truncated_file():
    pq.write_table(LOG, "log.parquet")
    content = Path("log.parquet").read_bytes()
    Path("log.parquet").write_bytes(content[:-20])
    return "log.parquet"


def damaged_pages():
    pq.write_table(LOG, "log.parquet")
    content = bytearray(Path("log.parquet").read_bytes())
    content[4:30] = b"\xff" * 26
    Path("log.parquet").write_bytes(content)
    return "log.parquet"


LOGS = {
    "no such file": (lambda: "no.parquet", "no.parquet must be a Parquet or CSV file or folder"),
    "an empty folder": (an_empty_folder, "folder must hold Parquet or CSV files"),
    "no Parquet": (a_folder_of_something_else, "but it holds 1 others"),
    "truncated": (a_truncated_file, "log.parquet must be a complete Parquet file"),
    "damaged": (damaged_pages, "log.parquet must be a complete Parquet file"),
    "a missing column": (
        lambda: write("log.parquet", userid=[1], item_id=[2]),
        "the column 'user_id', but it has userid, item_id; the nearest known is 'userid'",
    ),
    "a column of a wrong type": (
        lambda: write("log.parquet", user_id=[0.5], item_id=[2]),
        "the column 'user_id' must hold integers or strings, but holds double",
    ),
    "no rows": (
        lambda: write("log.parquet", user_id=NO_IDS, item_id=NO_IDS),
        "the log must have rows",
    ),
    "one user": (lambda: write("log.parquet", user_id=[1] * 4, item_id=[1, 2, 3, 4]), "2 users"),
    "one item": (lambda: write("log.parquet", user_id=[1, 2, 3], item_id=[1] * 3), "2 items"),
    "one row": (lambda: write("log.parquet", user_id=[1], item_id=[1]), "has 1 in 1 rows"),
    "users with too few rows": (
        lambda: write("log.parquet", user_id=[1, 1, 2, 2], item_id=[1, 2, 1, 2]),
        "split.min_rows",
    ),
    "bad rows alone": (
        lambda: write("log.parquet", user_id=pa.array([None, None], pa.int64()), item_id=[1, 2]),
        "none is left: user id is null: 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOGS)
def test_a_log_that_cannot_be_prepared(refused, case):
    make, message = LOGS[case]
    assert message in refused("prepare", make(), "--out", "dataset", "--json")


@pytest.mark.parametrize("case", ["no such file", "an empty folder", "truncated", "no rows"])
def test_a_log_that_cannot_be_described(refused, case):
    make, message = LOGS[case]
    assert message in refused("describe", make())


STRICT = {
    "null ids": ({"user_id": [1, None, 2], "item_id": [1, 2, None]}, "user id is null: 1"),
    "NaN weights": ({"user_id": [1, 2], "item_id": [1, 2], "weight": [1, np.nan]}, "not finite: 1"),
}


@pytest.mark.parametrize("case", STRICT)
def test_bad_rows_where_strict_is_asked_for(refused, case):
    columns, message = STRICT[case]
    said = refused("prepare", write("log.parquet", **columns), "--out", "dataset", "--strict")
    assert message in said
    assert "the first is {" in said


def test_the_items_are_not_there(refused, small_log):
    log = small_log / "log.parquet"
    said = refused("prepare", log, "--out", "dataset", "--items", "no.parquet")
    assert "no.parquet must be a Parquet or CSV file or folder" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "training.epoch=3"], "--set has the unknown key 'training.epoch'; .* 'epochs'"),
        (["--set", "model.kind=easy"], "model.kind must be known, but got 'easy'; .* 'ease'"),
        (["--set", "training.epochs=none"], "training.epochs is wrong: .* but got 'none'"),
        (["--set", "training.epochs"], "--set must look like training.epochs=20"),
        (["--config", "c.toml"], "c.toml has the unknown key 'trainings'; .* 'training'"),
        (["--config", "no.toml"], "must be a TOML file, but no.toml is not a file"),
    ],
)
def test_a_configuration_that_makes_no_sense(refused, small_dataset, words, message):
    write_toml("c.toml", {"trainings": {"epochs": 3}})
    said = refused("train", small_dataset, "--out", "model", *words)
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "nowhere", "the dataset must be a folder, but there is none at nowhere"),
        (an_empty_folder, "folder must be a dataset folder"),
    ],
)
@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_dataset_that_is_none(refused, command, make, message):
    assert message in refused(command, make(), "--out", "out")


def other_version(model):
    path = model / "model.toml"
    path.write_text(path.read_text().replace("format_version = 2", "format_version = 9"))


def damaged_weights(model):
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_version, "model must have format version 2, but has 9"),
        (damaged_weights, "weights.safetensors must be as it was written"),
        (lambda model: (model / "users.parquet").unlink(), "users.parquet is missing"),
        (lambda model: (model / "model.toml").unlink(), "with a readable model.toml"),
        (shutil.rmtree, "the model must be a folder, but there is none at model"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "score", "recommend", "similar", "vectors"])
def test_a_model_that_cannot_be_loaded(refused, model, small_dataset, command, change, message):
    change(model)
    pq.write_table(LOG, "log.parquet")
    rest = {
        "evaluate": [small_dataset, "--out", "report"],
        "score": ["--candidates", "log.parquet", "--out", "scores.parquet"],
        "recommend": ["--out", "lists"],
        "similar": ["--out", "lists"],
        "vectors": ["--out", "vectors"],
    }
    assert message in refused(command, "model", *rest[command])


CANDIDATES = {
    **{case: LOGS[case] for case in ("no such file", "an empty folder", "truncated", "damaged")},
    "a missing column": (lambda: write("c.parquet", user_id=[1]), "the column 'item_id'"),
    "no rows": (LOGS["no rows"][0], "the candidates must have rows"),
    "scores": (
        lambda: write("c.parquet", user_id=[1], item_id=[1], score=[0.5]),
        "must not have a column 'score' yet",
    ),
    "an unknown user": (lambda: write("c.parquet", user_id=[99], item_id=[1]), "row 0: 99"),
    "text for ids": (lambda: write("c.parquet", user_id=["1"], item_id=[1]), "of the type int64"),
}


@pytest.mark.parametrize("case", CANDIDATES)
def test_candidates_that_cannot_be_scored(refused, model, case):
    make, message = CANDIDATES[case]
    assert message in refused("score", "model", "--candidates", make(), "--out", "scores.parquet")


@pytest.mark.parametrize(
    ("option", "make", "message"),
    [
        ("--users", lambda: "no.parquet", "no.parquet must be a Parquet or CSV file or folder"),
        ("--users", lambda: write("u.parquet", user=[1]), "the column 'user_id'"),
        ("--users", lambda: write("u.parquet", user_id=[1, 99]), "row 1: 99"),
        ("--history", lambda: write("h.parquet", user_id=[1]), "the column 'item_id'"),
        ("--history", lambda: write("h.parquet", user_id=["a"], item_id=[1]), "the type int64"),
        ("--dataset", lambda: "nowhere", "the dataset must be a folder"),
    ],
)
def test_users_who_cannot_get_lists(refused, model, option, make, message):
    assert message in refused("recommend", "model", "--out", "lists", option, make())


@pytest.mark.parametrize(
    ("kind", "make", "message"),
    [
        ("sparse_grid", lambda: "no.parquet", "no.parquet must be a Parquet or CSV file or folder"),
        ("sparse_grid", lambda: write("i.parquet", item=[1]), "the column 'item_id'"),
        ("sparse_grid", lambda: write("i.parquet", item_id=[1, 99]), "row 1: 99; leave these out"),
        ("sparse_grid", lambda: write("i.parquet", item_id=["a"]), "the type int64"),
        ("popularity", lambda: write("i.parquet", item_id=[1]), "popularity has no vectors"),
    ],
)
def test_items_that_nothing_is_like(refused, trained_folder, workplace, kind, make, message):
    model = trained_folder / kind
    assert message in refused("similar", model, "--out", "lists", "--items", make())


def test_reasons_of_a_model_that_has_none(refused, model):
    said = refused("recommend", "model", "--out", "lists", "--explain")
    assert "those of popularity are not; explain a blend" in said


def test_scores_of_another_system_that_cannot_be_ranked(refused, small_dataset):
    path = write("scored.parquet", user_id=[1], item_id=[1], score=["high"])
    assert "must hold numbers" in refused("evaluate-file", path, small_dataset)


@pytest.mark.parametrize("address", ["models:/nobody/1", "runs:/1/model"])
def test_a_model_that_mlflow_does_not_have(refused, small_dataset, address):
    words = ["evaluate", address, small_dataset, "--out", "report"]
    assert f"{address} must be a recsparse model" in refused(*words)


def test_runs_of_nowhere(refused):
    assert "there must be an MLflow store" in refused("runs", "nowhere")
    assert "must hold the experiment 'none'" in refused("runs", "--set", "tracking.experiment=none")


def test_a_public_set_that_nobody_knows(refused):
    assert "movielens-100k" in refused("fetch", "movielens-100")


def test_a_search_of_nothing(refused, small_dataset):
    words = ["--set", "model.kind=ease", "--try", "regularization=[1.0]"]
    assert "'regularisation'" in refused("tune", small_dataset, "--out", "best.toml", *words)


@pytest.mark.parametrize("command", ["prepare", "train", "recommend"])
def test_an_output_under_a_file(refused, model, small_log, small_dataset, command):
    Path("file").write_text("")
    given = {"prepare": small_log / "log.parquet", "train": small_dataset, "recommend": "model"}
    rest = ["--set", "model.kind=popularity"] if command == "train" else []
    said = refused(command, given[command], "--out", "file/out", *rest)
    assert "must be a folder" in said
