"""What each command does with what lies at its output: a table of commands and of things there."""

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from recsparse.outputs.manifest import MANIFEST

# The output, the command but for it, options that make another job of it, and an input.
COMMANDS = {
    "prepare": ("made", ["prepare", "log.parquet"], ["--set", "seed=5"], "log.parquet"),
    "train": (
        "made",
        ["train", "dataset", "--set", "model.kind=popularity"],
        ["--set", "seed=5"],
        "dataset",
    ),
    "evaluate": (
        "made",
        ["evaluate", "model", "dataset"],
        ["--set", "evaluation.metrics=['all@3']"],
        "model",
    ),
    "tune": (
        "made.toml",
        ["tune", "dataset", "--set", "model.kind=popularity"],
        ["--set", "seed=5"],
        "dataset",
    ),
    "score to a folder": (
        "made",
        ["score", "model", "--candidates", "pairs"],
        ["--on-unknown", "null"],
        "pairs",
    ),
    "score to a file": (
        "made.parquet",
        ["score", "model", "--candidates", "pairs/a.parquet"],
        ["--on-unknown", "null"],
        "pairs/a.parquet",
    ),
    "recommend": ("made", ["recommend", "model"], ["-k", "3"], "model"),
    "similar": ("made", ["similar", "network"], ["-k", "3"], "network"),
    "vectors": ("made", ["vectors", "model"], ["--of", "item"], "model"),
    "describe": (
        "made.html",
        ["describe", "log.parquet"],
        ["--set", "log.duplicates=sum"],
        "log.parquet",
    ),
}
FILES = {"tune", "score to a file", "describe"}


@pytest.fixture
def place(workplace, small_log, small_dataset, trained_folder):
    """A folder with an input of each kind."""
    shutil.copy(small_log / "log.parquet", "log.parquet")
    shutil.copytree(small_dataset, "dataset")
    shutil.copytree(trained_folder / "popularity", "model")
    shutil.copytree(trained_folder / "sparse_grid", "network")
    Path("pairs").mkdir()
    pd.DataFrame({"user_id": [0, 1], "item_id": [1, 2]}).to_parquet("pairs/a.parquet")
    return workplace


@pytest.fixture(params=COMMANDS)
def command(request, recsparse, place):
    out, words, others, read = COMMANDS[request.param]
    option = "--html" if words[0] == "describe" else "--out"

    def run(*more, to=out):
        return recsparse(*words, option, to, *more)

    run.name, run.out, run.others, run.read = request.param, Path(out), others, Path(read)
    run.is_file = request.param in FILES
    return run


def tree(folder):
    """Return all that lies in a folder but for the store of MLflow, links by where they lead."""
    return {
        path.relative_to(folder): path.readlink()
        if path.is_symlink()
        else path.read_bytes() if path.is_file() else None
        for path in Path(folder).rglob("*")
        if not path.relative_to(folder).parts[0].startswith("ml")
    }  # fmt: skip


def assert_refused(command, place, *more, to=None, match):
    before = tree(place)
    outcome = command(*more, to=to or command.out)
    assert outcome.status == 2, outcome
    assert match in outcome.err
    assert outcome.err.count("\n") == 1
    assert tree(place) == before


def test_nothing_and_an_empty_folder_are_filled(command, place):
    if not command.is_file:
        command.out.mkdir()
    assert command().status == 0
    assert command.out.is_file() == command.is_file
    made = {path.name for path in place.iterdir()}
    assert not {name for name in made if name.startswith(".") or name.endswith((".parts", ".lock"))}


def test_the_same_job_again_replaces_and_another_one_only_where_that_is_said(command, place):
    assert command().status == 0
    first = tree(command.out) or command.out.read_bytes()
    assert command().status == 0
    assert_refused(command, place, *command.others, match="of another job (other input or other")
    outcome = command(*command.others, "--overwrite")
    assert outcome.status == 0, outcome
    assert (tree(command.out) or command.out.read_bytes()) != first
    assert command(*command.others).status == 0


def test_what_was_changed_since_is_replaced_only_where_that_is_said(command, place):
    assert command().status == 0
    if command.name in ("score to a folder", "recommend", "similar", "vectors"):
        (command.out / "part-00000000.parquet").rename(command.out / "part-00000007.parquet")
    elif command.name == "score to a file":
        # Whoever writes a table of their own under the name has taken the proof away.
        pq.write_table(pq.read_table(command.out)[:1], command.out)
        assert_refused(command, place, "--overwrite", match="but there is another file")
        return
    elif command.is_file:
        text = command.out.read_text()
        command.out.write_text(text.replace("seed = 0", "seed = 7").replace("<h1>", "<h1>My "))
    else:
        next(path for path in command.out.glob("*.parquet")).write_bytes(b"")
    assert_refused(command, place, match="pass --overwrite to replace it")
    assert command("--overwrite").status == 0


def test_an_output_of_an_older_build_is_known_and_replaced_only_where_that_is_said(command, place):
    assert command().status == 0
    if command.name.startswith(("score", "recommend", "similar", "vectors")):
        pytest.skip("nothing proves who wrote those")
    if command.is_file:
        lines = command.out.read_text().splitlines(keepends=True)
        command.out.write_text("".join(lines[:-1]))
    else:
        (command.out / MANIFEST).unlink()
    assert_refused(command, place, match="of an older build, or changed since")
    assert command("--overwrite").status == 0


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])
def test_what_others_wrote_is_never_replaced(command, place, overwrite):
    if command.is_file:
        command.out.write_text("my thesis\n")
        assert_refused(command, place, *overwrite, match="but there is another file; nothing was")
        return
    command.out.mkdir()
    (command.out / "thesis.txt").write_text("mine")
    assert_refused(command, place, *overwrite, match="it is none: it holds thesis.txt; nothing")


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])
def test_a_foreign_file_in_a_folder_of_ours_is_never_removed(command, place, overwrite):
    if command.is_file:
        pytest.skip("a file holds no files")
    assert command().status == 0
    (command.out / "deep").mkdir()
    (command.out / "deep" / "thesis.txt").write_text("mine")
    outcome = (
        "deep, which recsparse"
        if command.name in ("score to a folder", "recommend", "similar", "vectors")
        else ""
    )
    assert_refused(command, place, *overwrite, match=outcome or "deep/thesis.txt, which recsparse")


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])
@pytest.mark.parametrize("spelling", ["plain", "dots", "absolute", "link"])
def test_an_input_is_never_replaced(command, place, overwrite, spelling):
    read = command.read
    if spelling == "link":
        Path("link").symlink_to(read)
    spelled = {
        "plain": read,
        "dots": Path("pairs") / ".." / read,
        "absolute": read.absolute(),
        "link": Path("link"),
    }[spelling]
    assert_refused(command, place, *overwrite, to=spelled, match=f"but it is {read}; nothing was")


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])
def test_a_folder_that_holds_an_input_is_never_replaced(command, place, overwrite):
    assert_refused(command, place, *overwrite, to=place, match="but it holds")


def test_nothing_is_written_into_an_input(command, place):
    if command.read.is_file():
        pytest.skip("nothing lies in a file")
    inside = command.read / command.out
    assert_refused(command, place, to=inside, match=f"but it lies in {command.read}; nothing was")


def test_a_link_is_followed_and_stays_whatever_it_leads_to(command, place):
    suffix = command.out.suffix
    link, target = Path(f"link{suffix}"), place / "deep" / "er" / f"target{suffix}"
    link.symlink_to(target)
    for more in ((), (*command.others, "--overwrite")):
        assert command(*more, to=link).status == 0
        assert link.is_symlink()
        assert target.is_file() if command.is_file else target.is_dir()
    made = {path.name for path in target.parent.iterdir() if not path.name.startswith("ml")}
    # A search keeps its trials, to go on with a larger budget.
    assert made == {target.name, *([f"{target.name}.search"] if command.name == "tune" else [])}


def test_links_in_a_circle_are_refused(command, place):
    link = Path(f"link{command.out.suffix}")
    link.symlink_to(link)
    assert_refused(command, place, to=link, match="its links lead in a circle")


def test_a_folder_in_place_of_a_file_and_the_other_way_round_are_refused(command, place):
    if command.is_file:
        command.out.mkdir()
    else:
        command.out.write_text("mine")
    match = "must be a file for" if command.is_file else "must be a folder for"
    assert_refused(command, place, "--overwrite", match=match)


def test_an_output_of_another_kind_is_never_replaced(command, place):
    other = place / ("report" if command.name == "prepare" else "other")
    if command.is_file:
        pytest.skip("the proofs of files are of one kind each")
    made = ["evaluate", "model", "dataset"] if command.name == "prepare" else None
    shutil.copytree("dataset" if made is None else "model", other)
    assert_refused(command, place, "--overwrite", to=other, match="it is none: it holds")


def test_a_name_that_is_too_long_is_told_before_the_work(command, place):
    to = Path("x" * 300 + command.out.suffix)
    assert_refused(command, place, to=to, match="must have a shorter name")


def test_what_killed_jobs_left_is_cleared(command, place):
    for number in (1, 22):
        Path(f".{command.out.name}.{number}.0123abcd").write_text("half")
    assert command().status == 0
    assert not [path.name for path in place.iterdir() if path.name.startswith(".")]


def test_the_configuration_of_a_search_is_not_its_output(recsparse, place):
    Path("best.toml").write_text("seed = 3\n")
    outcome = recsparse("tune", "dataset", "--config", "best.toml", "--out", "best.toml")
    assert outcome.status == 2
    assert "but it is best.toml; nothing was touched" in outcome.err
    assert Path("best.toml").read_text() == "seed = 3\n"
