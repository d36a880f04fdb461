"""Every input of every command may be a path, a glob, or lie on another filesystem."""

import json
import shutil
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow.fs as pafs
import pytest

from tests.cli.conftest import sets

PAIRS = pd.DataFrame({"user_id": [0, 1, 2], "item_id": [2, 3, 4]})
POPULARITY = sets(["model.kind=popularity"])


@pytest.fixture
def elsewhere(small_log, small_dataset, trained_folder):
    """A filesystem that is not this machine's, with an input of each kind."""
    memory = fsspec.filesystem("memory")
    for folder, name in (
        (small_log, "log"),
        (small_dataset, "dataset"),
        (trained_folder / "popularity", "model"),
    ):
        memory.put(str(folder), f"/shop/{name}", recursive=True)
    memory.pipe("/shop/train.toml", b'[model]\nkind = "popularity"\n')
    for day in (1, 2):
        with memory.open(f"/shop/pairs/day={day}/a.parquet", "wb") as file:
            PAIRS.to_parquet(file, index=False)
    yield "memory://shop"
    memory.rm("/shop", recursive=True)


@pytest.fixture
def on_s3(small_log, small_dataset, trained_folder, tmp_path_factory, s3):
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(small_log, folder / "log")
    shutil.copytree(small_dataset, folder / "dataset")
    shutil.copytree(trained_folder / "popularity", folder / "model")
    (folder / "train.toml").write_text('[model]\nkind = "popularity"\n')
    for day in (1, 2):
        (folder / f"pairs/day={day}").mkdir(parents=True)
        PAIRS.to_parquet(folder / f"pairs/day={day}/a.parquet", index=False)
    bucket, _ = pafs.FileSystem.from_uri(f"s3://shop?{s3}")
    bucket.create_dir("shop")
    pafs.copy_files(str(folder), "shop", destination_filesystem=bucket)
    return s3


def done(outcome):
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out)


def job_on_another_filesystem(recsparse, at):
    words = ["prepare", at("log/log.parquet"), "--items", at("log/items.parquet"), "--json"]
    prepared = done(recsparse(*words, "--out", "dataset"))
    assert (prepared["dataset"], prepared["log_rows"]) == ("dataset", 400)
    words = ["prepare", at("log/log.parquet"), "--append", at("dataset"), "--again", "--json"]
    done(recsparse(*words, "--out", "longer"))
    assert done(recsparse("describe", at("log/*.parquet"), "--json"))["source"]["kind"] == "log"
    described = done(recsparse("describe", at("dataset"), "--json"))
    assert described["source"] == {"kind": "dataset", "path": at("dataset")}
    words = ["train", at("dataset"), "--out", "model", "--config", at("train.toml"), "--json"]
    done(recsparse(*words))
    Path("model").rename("ours")
    compared = done(recsparse("evaluate", "ours", at("model"), at("dataset"), "--json"))
    assert list(compared) == ["ours", "model"]
    assert compared["ours"] == compared["model"]
    words = ["score", at("model"), "--candidates", at("pairs"), "--dataset", at("dataset")]
    assert done(recsparse(*words, "--out", "scores.parquet", "--json"))["rows"] == 6
    scores = pd.read_parquet("scores.parquet")
    assert scores["day"].astype(int).tolist() == [1, 1, 1, 2, 2, 2]
    assert scores["score"].notna().all()
    words = ["recommend", at("model"), "--users", at("pairs/day=*/*.parquet"), "--out", "lists"]
    words += ["--history", at("log/log.parquet"), "--json"]
    assert done(recsparse(*words))["users"] == 3


def test_a_job_whose_inputs_lie_on_another_filesystem(recsparse, elsewhere):
    job_on_another_filesystem(recsparse, lambda name: f"{elsewhere}/{name}")


@pytest.mark.filterwarnings("ignore")
def test_a_job_whose_inputs_lie_on_s3(recsparse, on_s3):
    job_on_another_filesystem(recsparse, lambda name: f"s3://shop/{name}?{on_s3}")


def test_an_address_of_this_machine_is_a_path_for_inputs_and_outputs(
    recsparse, small_log, trained_folder, workplace
):
    def at(path):
        return f"file://{path}"

    config = workplace / "settings of today.toml"
    config.write_text('[model]\nkind = "popularity"\n[tracking]\nexperiment = "files"\n')
    shutil.copytree(small_log, "log")
    PAIRS.to_csv("pairs.csv", index=False)
    here = at(workplace)
    done(recsparse("prepare", f"{here}/log/log.parquet", "--out", f"{here}/data", "--json"))
    words = ["train", f"{here}/data", "--out", f"{here}/model", "--json"]
    done(recsparse(*words, "--config", f"{here}/settings%20of%20today.toml"))
    words = ["evaluate", f"{here}/model", f"{here}/data", "--out", f"{here}/report", "--json"]
    assert list(done(recsparse(*words))) == ["model"]
    words = ["score", f"{here}/model", "--candidates", f"{here}/pairs.csv"]
    done(recsparse(*words, "--out", f"{here}/scores.parquet", "--json"))
    done(recsparse("recommend", f"{here}/model", "--out", f"{here}/lists", "--json"))
    words = ["tune", f"{here}/data", "--out", f"{here}/best.toml", *POPULARITY, "--json"]
    done(recsparse(*words, "--try", "recent_days=[7.0, 90.0]"))
    words = ["describe", f"{here}/log/log.parquet", "--html", f"{here}/page.html", "--json"]
    done(recsparse(*words, "--spill", f"{here}/spill"))
    done(recsparse("evaluate-file", f"{here}/scores.parquet", f"{here}/data", "--json"))
    assert done(recsparse("runs", here, "--set", "tracking.experiment=files", "--json"))
    made = {path.name for path in workplace.iterdir()}
    wanted = {"data", "model", "report", "scores.parquet", "lists", "best.toml", "page.html"}
    assert wanted <= made
    assert not any(name.startswith("file:") for name in made)


WRONG = {
    "an unknown kind of address": "teapot://short/stout",
    "nothing there": "memory://nowhere/at/all",
    "no bucket": "s3:///log.parquet",
    "nobody answers": "s3://shop/log?region=eu-west-1&scheme=http&endpoint_override=127.0.0.1:9",
    "another machine": "file://host/log.parquet",
}


@pytest.mark.parametrize("place", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    "words",
    [
        ["prepare", "{}", "--out", "dataset"],
        ["prepare", "log.parquet", "--items", "{}", "--out", "dataset"],
        ["describe", "{}"],
        ["train", "{}", "--out", "model"],
        ["train", "dataset", "--config", "{}", "--out", "model"],
        ["evaluate", "{}", "dataset"],
        ["evaluate-file", "{}", "dataset"],
        ["score", "model", "--candidates", "{}", "--out", "scores"],
        ["score", "{}", "--candidates", "pairs.parquet", "--out", "scores"],
        ["recommend", "model", "--users", "{}", "--out", "lists"],
        ["recommend", "model", "--history", "{}", "--out", "lists"],
    ],
    ids=" ".join,
)
def test_a_wrong_address_is_bad_input_that_is_named(
    recsparse, small_log, small_dataset, trained_folder, words, place, monkeypatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    Path("dataset").symlink_to(small_dataset)
    Path("model").symlink_to(trained_folder / "popularity")
    Path("log.parquet").symlink_to(small_log / "log.parquet")
    PAIRS.to_parquet("pairs.parquet")
    outcome = recsparse(*(word.format(place) for word in words))
    assert outcome.status == 2, outcome
    assert place in outcome.err
    assert outcome.err.startswith("error: ")
    assert {path.name for path in Path().iterdir()} <= {
        "dataset", "model", "log.parquet", "pairs.parquet", "mlflow.db",
    }  # fmt: skip
