import shutil
import tomllib
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from pipelines import nightly
from pipelines.nightly import app
from recsparse.cli.exit import exit_on_error
from recsparse.config.toml_writer import write_toml
from recsparse.datasets.synthetic import synthetic_log
from recsparse.scoring.model_folder import load_model
from recsparse.scoring.model_state import state_bytes
from recsparse.tracking.store import local_uri
from tests.forks import KILLED, forks

SETTINGS = {
    "split": {"kind": "global_time", "validation": 0.1, "test": 0.1},
    "model": {"kind": "ials", "factors": 8, "iterations": 3},
    # Whatever comes out, tonight's model is promoted: it is the jobs that are compared.
    "promotion": {"rule": "not_worse", "margin": 0.9, "min_users": 10},
}
WORDS = ["logs", "--out", "shop", "--config", "nightly.toml"]


def write_logs(folder):
    """Write the rows of three nights, in the order of their times."""
    log = synthetic_log(120, 30, 1_500, seed=0).table.sort_by("timestamp")
    folder.mkdir()
    for night, (first, last) in enumerate(pairwise([0, 1_100, 1_300, 1_500])):
        pq.write_table(log.slice(first, last - first), folder / f"{night}.parquet")


@pytest.fixture
def shop(workplace):
    """A folder with the logs of the first night, and those of later ones in `later`."""
    write_logs(workplace / "later")
    write_toml("nightly.toml", SETTINGS)
    arrive(workplace, 0)
    return workplace


def arrive(folder, night):
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "later" / f"{night}.parquet").rename(folder / "logs" / f"{night}.parquet")


@pytest.fixture
def run_night(shop, capfd):
    def run(night, *more):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            exit_on_error(lambda: app([*WORDS, "--night", night, *map(str, more)]))
        return ended.value.code or 0, *capfd.readouterr()

    return run


def champion(folder):
    """The version of the champion; None where there is none."""
    client = MlflowClient(local_uri(folder / "shop"))
    found = client.search_registered_models()
    return str(found[0].aliases["champion"]) if found and found[0].aliases else None


def lists(folder):
    return pq.read_table(folder / "shop" / "recommendations.parquet")


def decision(folder, night):
    return tomllib.loads((folder / "shop" / f"promotion-{night}.toml").read_text())


def test_each_night_takes_new_rows_and_replaces_the_lists_once(shop, run_night):
    status, _, said = run_night("first")
    assert (status, champion(shop)) == (0, "1"), said
    first = lists(shop)
    assert decision(shop, "first")["said"].endswith("no version of nightly had that alias")
    arrive(shop, 1)
    status, _, said = run_night("second")
    assert (status, champion(shop)) == (0, "2"), said
    second = lists(shop)
    assert not second.equals(first)
    # It has seen what came, and continues from who was champion as the night began.
    assert load_model("shop/model-second").history.nnz > load_model("shop/model-first").history.nnz
    assert tomllib.loads(Path("shop/start-second.toml").read_text()) == {"champion": "1"}
    # The lists leave out all that the dataset knows of the users.
    log = pq.read_table("logs").to_pandas()
    seen = set(zip(log["user_id"], log["item_id"], strict=True))
    listed = second.to_pandas()
    assert not seen & set(zip(listed["user_id"], listed["item_id"], strict=True))
    # The same night again changes nothing.
    status, _, said = run_night("second")
    assert (status, champion(shop)) == (0, "2")
    assert said.count("is up to date") == 5
    assert "making" not in said
    assert lists(shop).equals(second)


def test_a_model_that_is_not_promoted_leaves_the_champion_whose_lists_are_made_anew(
    shop, run_night
):
    run_night("first")
    first = lists(shop)
    arrive(shop, 1)
    status, _, said = run_night("second", "--set", "promotion.min_users=1000")
    assert (status, champion(shop)) == (0, "1")
    assert decision(shop, "second")["promoted"] is False
    assert "users with test rows are too few to tell" in said
    # By the same model, from what came since.
    assert not lists(shop).equals(first)


def test_another_kind_of_model_is_fitted_anew(shop, run_night):
    run_night("first")
    arrive(shop, 1)
    write_toml("nightly.toml", SETTINGS | {"model": {"kind": "ease"}})
    status, _, said = run_night("second")
    assert (status, champion(shop)) == (0, "2"), said
    assert load_model("shop/model-second").model.kind == "ease"
    assert "the champion is a model of the kind ials; ease is fitted anew" in said


def test_a_stage_that_fails_leaves_the_champion_and_the_lists(shop, run_night, monkeypatch):
    run_night("first")
    first = lists(shop)
    arrive(shop, 1)

    def fails(*given, **named):
        raise RuntimeError("no more room")

    for stage in ("prepare", "train", "promote", "recommend"):
        with monkeypatch.context() as patch:
            patch.setattr(nightly, stage, fails)
            status, _, said = run_night("second")
        assert status == 1
        assert "failed: RuntimeError: no more room" in said
        assert lists(shop).equals(first)
        assert champion(shop) == ("2" if stage == "recommend" else "1")
    assert run_night("second")[0] == 0
    assert champion(shop) == "2"
    assert not lists(shop).equals(first)


def test_a_bad_file_among_the_new_ones_stops_the_night_before_anything_is_touched(shop, run_night):
    run_night("first")
    first = lists(shop)
    (shop / "logs" / "bad.parquet").write_bytes(b"no Parquet")
    status, _, said = run_night("second")
    assert status == 2
    assert "bad.parquet" in said
    assert (champion(shop), lists(shop).equals(first)) == ("1", True)


@pytest.mark.parametrize("night", ["..", "a/b"])
def test_the_name_of_a_night_stays_in_the_folder(run_night, night):
    status, _, said = run_night(night)
    assert status == 2
    assert "--night must be the name of a folder" in said


def test_a_folder_of_logs_that_is_not_there_is_named(run_night, shop):
    (shop / "logs").rename(shop / "elsewhere")
    status, _, said = run_night("first")
    assert status == 2
    assert "there is none at logs" in said
    assert not (shop / "shop").exists()


MARKERS = [
    "making dataset", "splitting", "making start-second", "fitting ials", "recording the model",
    "making promotion-second", "writing the report", "recording the decision", "Created version",
    "making recommendations", "joining the parts",
]  # fmt: skip


@pytest.mark.slow
def test_a_night_that_is_killed_at_every_step_ends_as_an_undisturbed_one(shop):
    night = [*WORDS, "--night", "second"]
    with forks(shop, program="pipelines.nightly") as run:
        run(*WORDS, "--night", "first")
        shutil.copytree(shop / "shop", shop / "before", symlinks=True)
        before = lists(shop)
        arrive(shop, 1)
        run(*night)
        whole, made = lists(shop), load_model(shop / "shop" / "model-second")
        # In its place, since MLflow's files are known by their paths.
        shutil.rmtree(shop / "shop")
        (shop / "before").rename(shop / "shop")
        killed = 0
        for marker in MARKERS:
            status, _ = run(*night, kill_after=0, said=marker)
            killed += status == KILLED
            assert champion(shop) in ("1", "2")
            assert any(lists(shop).equals(each) for each in (before, whole)), marker
            if champion(shop) == "1":
                assert lists(shop).equals(before), marker
        run(*night)
    # A stage may be over before it is killed, but not most of them.
    assert killed >= len(MARKERS) - 2
    assert champion(shop) == "2"
    assert decision(shop, "second")["promoted"] is True
    assert lists(shop).equals(whole)
    model = load_model(shop / "shop" / "model-second")
    assert state_bytes(model.model) == state_bytes(made.model)
