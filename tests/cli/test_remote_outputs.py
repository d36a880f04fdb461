"""Every output of every command may lie on another filesystem, with the proofs of a local one."""

import json
import shutil
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from recsparse.files import filesystems
from recsparse.files.filesystems import fetched
from recsparse.outputs.manifest import MANIFEST, read_manifest
from recsparse.outputs.places import local_place, place_of_work

PAIRS = pd.DataFrame({"user_id": [0, 1, 2], "item_id": [2, 3, 4]})
POPULARITY = ["--set", "model.kind=popularity"]
# The name of the output, the command but for it, and options that make another job of it.
COMMANDS = {
    "prepare": ("made", ["prepare", "log.parquet"], ["--set", "seed=5"]),
    "train": ("made", ["train", "dataset", *POPULARITY], ["--set", "seed=5"]),
    "evaluate": (
        "made",
        ["evaluate", "model", "dataset"],
        ["--set", "evaluation.metrics=['all@3']"],
    ),
    "tune": ("made.toml", ["tune", "dataset", *POPULARITY], ["--set", "seed=5"]),
    "score to a folder": (
        "made",
        ["score", "model", "--candidates", "pairs.parquet"],
        ["--on-unknown", "null"],
    ),
    "score to a file": (
        "made.parquet",
        ["score", "model", "--candidates", "pairs.parquet"],
        ["--on-unknown", "null"],
    ),
    "recommend": ("made", ["recommend", "model"], ["-k", "3"]),
    "similar": ("made", ["similar", "network"], ["-k", "3"]),
    "vectors": ("made", ["vectors", "model"], ["--of", "item"]),
    "describe": ("made.html", ["describe", "log.parquet"], ["--set", "log.duplicates=sum"]),
}
FILES = {"tune", "score to a file", "describe"}


@pytest.fixture
def inputs(workplace, small_log, small_dataset, trained_folder, monkeypatch):
    monkeypatch.setenv("RECSPARSE_CACHE", str(workplace / "cache"))
    shutil.copy(small_log / "log.parquet", "log.parquet")
    Path("dataset").symlink_to(small_dataset)
    shutil.copytree(trained_folder / "popularity", "model")
    shutil.copytree(trained_folder / "sparse_grid", "network")
    PAIRS.to_parquet("pairs.parquet", index=False)


@pytest.fixture
def memory(inputs):
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def words_of(command, out):
    option = "--html" if command == "describe" else "--out"
    return [*COMMANDS[command][1], option, out]


def content(memory):
    return {name: memory.cat(name) for name in memory.find("/")}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_at_an_address_is_made_once_and_replaced_as_a_local_one(
    recsparse, memory, command
):
    name, _, other = COMMANDS[command]
    out = f"memory://shop/{name}"
    words = words_of(command, out)
    first = recsparse(*words)
    assert first.status == 0, first.err
    made = content(memory)
    assert made
    assert not any("recsparse-" in Path(file).name for file in made)
    if command in FILES:
        assert list(made) == [f"/shop/{name}"]
    again = recsparse(*words)  # the same job
    assert again.status == 0, again.err
    assert set(content(memory)) == set(made)
    refused = recsparse(*words, *other)
    assert refused.status == 2, refused
    assert f"{out} holds" in refused.err
    assert "--overwrite" in refused.err
    assert set(content(memory)) == set(made)
    replaced = recsparse(*words, *other, "--overwrite")
    assert replaced.status == 0, replaced.err
    assert not Path("memory:").exists()
    left = {path.name for path in local_place(out).parent.glob("*") if "copy-" not in path.name}
    # A search keeps its trials, to go on with a larger budget.
    assert left == ({f"{local_place(out).name}.search"} if command == "tune" else set())


@pytest.mark.parametrize("command", COMMANDS)
def test_what_recsparse_did_not_write_at_an_address_is_refused_whatever_is_passed(
    recsparse, memory, command
):
    name = COMMANDS[command][0]
    memory.pipe(f"/shop/{name}" + ("" if command in FILES else "/thesis.txt"), b"years of work")
    before = content(memory)
    outcome = recsparse(*words_of(command, f"memory://shop/{name}"), "--overwrite")
    assert outcome.status == 2, outcome
    assert "nothing was touched" in outcome.err
    assert content(memory) == before


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - FILES))
def test_one_foreign_file_in_an_output_of_ours_keeps_it(recsparse, memory, command):
    words = words_of(command, "memory://shop/made")
    assert recsparse(*words).status == 0
    memory.pipe("/shop/made/thesis.txt", b"years of work")
    before = content(memory)
    outcome = recsparse(*words, "--overwrite")
    assert outcome.status == 2, outcome
    assert "thesis.txt" in outcome.err
    assert content(memory) == before


def test_what_is_written_to_an_address_is_what_is_written_to_a_path(recsparse, memory):
    for command in COMMANDS:
        name = f"{command.replace(' ', '_')}{Path(COMMANDS[command][0]).suffix}"
        for out in (name, f"memory://shop/{name}"):
            assert recsparse(*words_of(command, out)).status == 0
        here, there = Path(name), fetched(f"memory://shop/{name}")
        if here.is_file():
            assert here.read_bytes() == there.read_bytes()
            continue
        names = sorted(path.name for path in here.iterdir())
        assert names == sorted(path.name for path in there.iterdir())
        if command.startswith(("score", "recommend", "similar", "vectors")):
            assert pq.read_table(here).equals(pq.read_table(there))
        elif command == "prepare":
            assert read_manifest(here) == read_manifest(there)


def test_jobs_continue_from_what_jobs_wrote_to_addresses(recsparse, memory):
    steps = [
        ["prepare", "log.parquet", "--out", "memory://shop/dataset"],
        ["train", "memory://shop/dataset", *POPULARITY, "--out", "memory://shop/model"],
        ["evaluate", "memory://shop/model", "memory://shop/dataset", "--out", "memory://shop/report"],
        ["recommend", "memory://shop/model", "--out", "memory://shop/lists"],
        [
            "prepare", "log.parquet", "--again", "--append", "memory://shop/dataset",
            "--out", "memory://shop/dataset",
        ],
    ]  # fmt: skip
    for words in steps:
        outcome = recsparse(*words)
        assert outcome.status == 0, outcome.err
    assert json.loads(recsparse("describe", "memory://shop/dataset", "--json").out)
    folders = {path.split("/")[2] for path in memory.find("/")}
    assert folders == {"dataset", "model", "report", "lists"}


INPUTS = {
    "it is": ["recommend", "memory://shop/model", "--out", "memory://shop/model"],
    "it is, with another spelling": [
        "recommend", "memory://shop/model", "--out", "memory:///shop//model/",
    ],
    "it lies in": ["train", "memory://shop/dataset", "--out", "memory://shop/dataset/model"],
    "it holds": ["train", "memory://shop/dataset", "--out", "memory://shop"],
    "it is one of several": [
        "score", "model", "--candidates", "memory://shop/pairs/*.parquet",
        "--out", "memory://shop/pairs/a.parquet",
    ],
    "it is a table": [
        "prepare", "log.parquet", "--items", "memory://shop/pairs", "--out", "memory://shop/pairs",
    ],
}  # fmt: skip


@pytest.mark.parametrize("words", INPUTS.values(), ids=INPUTS)
def test_an_input_at_an_address_is_never_replaced(recsparse, memory, small_dataset, words):
    memory.put(str(small_dataset), "/shop/dataset", recursive=True)
    memory.put("model", "/shop/model", recursive=True)
    memory.put("pairs.parquet", "/shop/pairs/a.parquet")
    before = content(memory)
    outcome = recsparse(*words, "--overwrite")
    assert outcome.status == 2, outcome
    assert "must lie apart" in outcome.err
    assert content(memory) == before


@pytest.mark.parametrize("command", ["prepare", "train", "score to a folder", "score to a file"])
def test_an_upload_that_breaks_off_is_told_and_the_next_try_goes_on(
    recsparse, memory, command, monkeypatch
):
    out = f"memory://shop/{COMMANDS[command][0]}"
    words = words_of(command, out)
    real, calls = pafs.copy_files, []

    def break_off(source, target, *others, **settings):
        if "destination_filesystem" in settings:
            calls.append(target)
            if len(calls) == (2 if command in ("prepare", "train") else 1):
                raise OSError("the line is dead")
        return real(source, target, *others, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(pafs, "copy_files", break_off)
        failed = recsparse(*words)
    assert failed.status == 2, failed
    assert f"{out} must be writable, but the line is dead" in failed.err
    assert "is kept in" in failed.err
    assert not any(name.endswith(MANIFEST) for name in memory.find("/"))
    if command in ("prepare", "train"):  # some files are there, of this job alone
        assert recsparse(*words, *COMMANDS[command][2]).status == 2
    more = ["--resume"] if command == "train" else []
    again = recsparse(*words, *more)
    assert again.status == 0, again.err
    assert not any("recsparse-" in Path(file).name for file in memory.find("/"))


def test_a_finished_part_is_taken_over_where_the_upload_broke_off(recsparse, memory, monkeypatch):
    words = words_of("score to a folder", "memory://shop/made")
    with monkeypatch.context() as patch:
        patch.setattr(pafs, "copy_files", lambda *_, **__: 1 / 0)
        assert recsparse(*words).status == 2
    parts = local_place("memory://shop/made").with_name("made.parts")
    (part,) = parts.glob("part-*.parquet")
    from recsparse.scoring.trained import TrainedModel

    monkeypatch.setattr(TrainedModel, "score", None)  # it is not needed again
    assert recsparse(*words).status == 0
    assert not part.exists()


@pytest.mark.parametrize("command", ["train", "score to a file"])
def test_a_place_that_takes_nothing_is_told_before_the_work(recsparse, memory, command):
    for out in ("http://127.0.0.1:9/made.parquet", "teapot://short/made"):
        outcome = recsparse(*words_of(command, out))
        assert outcome.status == 2, outcome
        assert out in outcome.err


@pytest.mark.filterwarnings("ignore")
def test_outputs_on_s3(recsparse, inputs, s3):
    bucket, _ = pafs.FileSystem.from_uri(f"s3://shop?{s3}")
    bucket.create_dir("shop")
    for command in ("train", "score to a folder", "score to a file"):
        name, _, other = COMMANDS[command]
        name = f"{command.replace(' ', '_')}/{name}"
        words = words_of(command, f"s3://shop/{name}?{s3}")
        for options, status in ([], 0), ([], 0), (other, 2), ([*other, "--overwrite"], 0):
            outcome = recsparse(*words, *options)
            assert outcome.status == status, outcome
    found = bucket.get_file_info(pafs.FileSelector("shop", recursive=True))
    names = [info.path for info in found if info.type == pafs.FileType.File]
    assert "shop/score_to_a_file/made.parquet" in names
    assert "shop/score_to_a_folder/made/part-00000000.parquet" in names
    assert f"shop/train/made/{MANIFEST}" in names
    assert not any("recsparse-" in name for name in names)
    nowhere = recsparse(*words_of("train", f"s3://no-such-bucket/made?{s3}"))
    assert nowhere.status == 2, nowhere


def test_a_model_at_an_address_is_sent_from_there_where_the_store_was_gone(
    recsparse, memory, workplace, monkeypatch
):
    from recsparse.tracking import open_run as tracking

    def gone(record):
        raise ConnectionError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(tracking, "deliver", gone)
        trained = recsparse(*words_of("train", "memory://shop/made"))
    assert trained.status == 0, trained
    assert "not sent" in trained.out
    for copy in filesystems._copies.values():  # as when the process has ended
        copy.cleanup()
    filesystems._copies.clear()
    assert recsparse("runs", ".", "--send").status == 0
    assert not any((workplace / "mlflow.unsent").iterdir())


def test_what_is_said_of_an_interrupted_job_names_where_its_parts_lie(memory, workplace):
    made = local_place("memory://shop/made.parquet")
    assert place_of_work("memory://shop/made.parquet") == made
    assert workplace / "cache" in made.parents
    assert place_of_work("made.parquet") == Path("made.parquet")
