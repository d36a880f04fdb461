"""Code of a user's own, out of the guides, through commands in processes of their own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from recsparse.datasets.dataset_folder import load_dataset
from tests.cli.conftest import sets
from tests.forks import KILLED, forks

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "docs" / "how-to" / name for name in ("own-model.md", "own-loss.md")]


def modules_of_the_guides():
    text = "\n".join(guide.read_text(encoding="utf-8") for guide in GUIDES)
    names = re.findall(r"Save this as\s+`(\w+\.py)`", text)
    return dict(zip(names, re.findall(r"```python\n(.*?)```", text, re.DOTALL), strict=True))


@pytest.fixture
def command(tmp_path, small_log, workplace):
    """Runs a command in a fresh process that finds the modules of the guides on its path."""
    for name, code in modules_of_the_guides().items():
        (tmp_path / name).write_text(code, encoding="utf-8")

    def run(*words, plugins=""):
        environment = {
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "RECSPARSE_PLUGINS": plugins,
        }
        return subprocess.run(
            [sys.executable, "-m", "recsparse", *map(str, words)],
            capture_output=True, text=True, env=environment, cwd=workplace, check=False,
        )  # fmt: skip

    return run


def succeeds(outcome):
    assert outcome.returncode == 0, outcome.stderr
    return outcome


@pytest.mark.slow
def test_a_model_of_one_s_own_goes_through_every_command(command, small_dataset, workplace):
    named = sets(["model.kind=shared_users:SharedUsers", "model.damping=0.25"])
    succeeds(command("train", small_dataset, "--out", "alone", *named))
    parts = "model.parts=[{kind='shared_users'}, {kind='popularity'}]"
    own = {"plugins": "shared_users"}
    succeeds(command("train", small_dataset, "--out", "blend", *sets([parts]), **own))
    tuned = sets(["model.kind=shared_users"])
    succeeds(command("tune", small_dataset, "--out", "best.toml", *tuned, **own))
    assert "shared_users" in (workplace / "best.toml").read_text()
    metric = sets(["evaluation.metrics=['precision@1', 'first_hit:first_hit', 'ndcg@5']"])
    words = ["evaluate", "alone", "blend", small_dataset, "--out", "report", *metric]
    succeeds(command(*words, **own))
    table = pd.read_parquet(workplace / "report" / "comparison.parquet")
    assert table["model"].tolist() == ["alone", "blend"]
    assert table["first_hit"].tolist() == table["precision@1"].tolist()
    succeeds(command("recommend", "alone", "--out", "lists.parquet", **own))
    lists = pd.read_parquet(workplace / "lists.parquet")
    lists[["user_id", "item_id"]].to_parquet(workplace / "pairs.parquet")
    words = ["score", "alone", "--candidates", "pairs.parquet", "--out", "scores.parquet"]
    succeeds(command(*words, **own))
    scores = pd.read_parquet(workplace / "scores.parquet")
    pd.testing.assert_series_equal(scores["score"], lists["score"], check_dtype=False)


SERVED = """
import sys, mlflow, pandas as pd
uri, lists, out = sys.argv[1:]
mlflow.set_tracking_uri("sqlite:///mlflow.db")
pairs = pd.read_parquet(lists)[["user_id", "item_id"]]
mlflow.pyfunc.load_model(uri).predict(pairs).to_parquet(out)
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The network of the guide in a package that offers it as an entry point, as if installed."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    code = modules_of_the_guides()["autoencoder.py"]
    (tmp_path / "mine" / "autoencoder.py").write_text(code, encoding="utf-8")
    about = tmp_path / "mine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    entry = "autoencoder = mine.autoencoder:Autoencoder"
    (about / "entry_points.txt").write_text(f"[recsparse.models]\n{entry}\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_a_network_of_an_installed_package_is_resumed_blended_and_served(small_dataset, workplace):
    training = "training={epochs=60, batch_users=8, patience=60, device='cpu'}"
    alone = sets(["model.kind=autoencoder", "model.channels=8", f"model.{training}"])
    part = f"{{kind='autoencoder', channels=8, {training}}}"
    blend = sets([f"model.parts=[{part}, {{kind='popularity'}}]", "model.weights=[1, 1]"])
    with forks(workplace) as run:
        for settings, name in ((alone, "alone"), (blend, "blend")):
            words = ["train", small_dataset, *settings, "--out"]
            assert run(*words, f"{name}_whole")[0] == 0
            left = workplace / f"{name}.checkpoints"
            last = left / ("" if name == "alone" else "0_autoencoder") / "last.safetensors"
            assert run(*words, name, kill_after=0.0, since=last)[0] == KILLED
            assert last.is_file()
            assert run(*words, name, "--resume")[0] == 0
            assert not left.exists()
            found, expected = (
                (workplace / each / "weights.safetensors").read_bytes()
                for each in (name, f"{name}_whole")
            )
            assert found == expected
        tried = ["--try", "channels=[2, 4]", *alone]
        assert run("tune", small_dataset, "--out", "best.toml", *tried)[0] == 0
        assert run("recommend", "blend", "--out", "lists.parquet")[0] == 0
    run_id = tomllib.loads((workplace / "blend" / "model.toml").read_text())["training"]["run_id"]
    uri = f"runs:/{run_id}/model"
    words = [sys.executable, "-c", SERVED, uri, "lists.parquet", "served.parquet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=workplace)
    assert done.returncode == 0, done.stderr
    served, lists = (pd.read_parquet(workplace / f"{name}.parquet") for name in ("served", "lists"))
    assert served["score"].tolist() == pytest.approx(lists["score"].tolist())


@pytest.mark.slow
def test_a_logged_model_takes_the_module_of_its_kind_along(
    command, small_dataset, workplace, tmp_path_factory
):
    named = sets(["model.kind=shared_users:SharedUsers"])
    succeeds(command("train", small_dataset, "--out", "alone", *named))
    (logged,) = workplace.glob("mlartifacts/models/*/artifacts")
    lies = {path.name for path in (logged / "code").glob("*.py")}
    assert lies == {"recsparse_model.py", "shared_users.py"}
    pairs = pd.DataFrame({"user_id": [3, 7], "item_id": [1, 4]})
    pairs.to_parquet(workplace / "pairs.parquet")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    restored = """
import sys, mlflow.pyfunc, pandas as pd
logged, pairs = sys.argv[1:]
model = mlflow.pyfunc.load_model(logged)
print(*model.predict(pd.read_parquet(pairs))["score"])
"""
    words = [sys.executable, "-W", "ignore", "-c", restored, logged, workplace / "pairs.parquet"]
    done = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, check=False, cwd=elsewhere,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    score = ["score", "alone", "--candidates", "pairs.parquet", "--out", "scores.parquet"]
    succeeds(command(*score, plugins="shared_users"))
    expected = pd.read_parquet(workplace / "scores.parquet")["score"]
    assert [*map(float, done.stdout.split())] == pytest.approx(expected.tolist())


@pytest.mark.slow
def test_a_folder_that_needs_a_module_which_nobody_told_of_says_what_to_set(command, small_dataset):
    named = sets(["model.kind=shared_users:SharedUsers"])
    succeeds(command("train", small_dataset, "--out", "alone", *named))
    outcome = command("recommend", "alone", "--out", "lists.parquet")
    assert outcome.returncode == 2
    said = " ".join(outcome.stderr.split())
    assert "of the kind 'shared_users', the class shared_users:SharedUsers" in said
    assert "RECSPARSE_PLUGINS=shared_users" in said


@pytest.mark.slow
def test_a_loss_of_one_s_own_trains_and_its_model_scores_without_the_module(
    command, small_dataset, workplace, tmp_path
):
    small = ["model.kind=sasrec", "model.channels=8", "model.blocks=1"]
    small += ["model.training={epochs=1, device='cpu'}", "model.loss=margin:margin"]
    succeeds(command("train", small_dataset, "--out", "model", *sets(small)))
    searched = ["--try", "loss=['softmax', 'margin:margin']", *sets(small[:-1])]
    succeeds(command("tune", small_dataset, "--out", "best.toml", *searched))
    (tmp_path / "margin.py").rename(tmp_path / "elsewhere.py")
    succeeds(command("recommend", "model", "--out", "lists.parquet"))
    succeeds(command("evaluate", "model", small_dataset, "--out", "report"))
    again = command("train", small_dataset, "--out", "model", "--resume", *sets(small))
    assert again.returncode == 2
    assert "model.loss must name a module that can be imported" in " ".join(again.stderr.split())
    continued = command("train", small_dataset, "--out", "next", "--from", "model")
    assert continued.returncode == 2
    assert "model.loss is margin:margin, of a module that" in " ".join(continued.stderr.split())


@pytest.mark.slow
def test_the_conformance_classes_pass_for_the_model_and_the_layer_of_the_guides(command, tmp_path):
    tests = ["test_shared_users.py", "test_gated.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *tests],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 30


@pytest.mark.slow
def test_a_split_of_one_s_own_parts_the_rows_and_its_dataset_needs_no_module(
    command, small_log, workplace
):
    named = sets(["split.kind=by_weekday:ByWeekday"])
    succeeds(command("prepare", small_log / "log.parquet", "--out", "dataset", *named))
    data = load_dataset(workplace / "dataset")
    for part, weekday in {"test": 6, "validation": 5}.items():
        days = pd.to_datetime(getattr(data.split, part)["timestamp"].to_numpy(), unit="s")
        assert len(days) > 0
        assert set(days.day_of_week) == {weekday}
    succeeds(command("train", "dataset", "--out", "model", *sets(["model.kind=popularity"])))
    again = ["--append", "dataset", "--again", "--out", "more"]
    more = command("prepare", small_log / "log.parquet", *again)
    assert more.returncode == 2
    assert "RECSPARSE_PLUGINS=by_weekday" in " ".join(more.stderr.split())
