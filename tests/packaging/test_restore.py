"""A logged model in an environment that was built from its own requirements and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsparse.scoring.model_folder import load_model
from recsparse.tracking.pinned_requirements import pinned_requirements

SCORED = """
import json, sys
import mlflow.pyfunc, pandas as pd

folder, history = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
import recsparse
from recsparse.sparse.native import kernels

users = pd.DataFrame({"user_id": [901, 3]})
print(json.dumps({
    "code": recsparse.__file__,
    "kernels": kernels().variant,
    "scores": model.predict(model.input_example)["score"].tolist(),
    "lists": model.predict(users, params={"k": 4, "history": history}).to_dict("records"),
}))
"""
HISTORY = [{"user_id": 901, "item_id": 4}, {"user_id": 901, "item_id": 6}]

pytestmark = pytest.mark.slow


def run(words, folder, **more):
    """Run a program in a folder, with nothing of this environment but what it names."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        [*map(str, words)], cwd=folder, env=clean | more, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def logged(trained_folder) -> Path:
    """The folder that MLflow keeps of the model `sparse_grid`."""
    (found,) = [path.parents[1] for path in trained_folder.rglob("mlartifacts/**/sparse_grid")]
    return found


@pytest.fixture(scope="module")
def python(logged, tmp_path_factory) -> Path:
    """The Python of an environment built by pip from the model's requirements."""
    place = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True, timeout=300)
    pip = [place / "venv" / "bin" / "pip"]
    # pip's own settings, such as those of an index, and its cache stay.
    own = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    own["HOME"] = os.environ.get("HOME", str(place))
    probe = next(each for each in pinned_requirements()[0] if each.startswith("filelock"))
    code, _, _ = run([*pip, "download", "--no-deps", "--dest", place, probe], place, **own)
    if code:
        pytest.skip(f"pip has {probe} neither in its cache nor from a registry")
    words = ["install", "--quiet", "--no-compile", "--requirement", logged / "requirements.txt"]
    code, out, error = run([*pip, *words], place, **own)
    assert code == 0, out + error
    return place / "venv" / "bin" / "python"


def test_it_scores_and_recommends_the_same_without_the_repository(
    python, logged, trained_folder, tmp_path
):
    strict = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    code, out, _ = run([python, "-c", "import recsparse"], tmp_path)
    assert code == 1
    code, out, error = run(
        [python, "-W", "ignore", "-c", SCORED, logged, json.dumps(HISTORY)], tmp_path, **strict
    )
    assert code == 0, error
    found = json.loads(out.splitlines()[-1])
    assert Path(found["code"]).parents[1].name.startswith("recsparse-")
    assert not Path(found["code"]).exists()  # nothing is left when the process ends
    trained = load_model(trained_folder / "sparse_grid")
    example = json.loads((logged / "input_example.json").read_text())
    pairs = pd.DataFrame(example["data"], columns=example["columns"])
    assert found["kernels"] != "none"
    assert found["scores"] == trained.score(pairs).tolist()
    expected = trained.recommend([901, 3], k=4, history=pd.DataFrame(HISTORY))
    lists = pd.DataFrame(found["lists"])
    assert lists["item_id"].tolist() == expected["item_id"].tolist()
    np.testing.assert_array_equal(lists["score"].astype(np.float32), expected["score"])


def test_the_environment_has_what_is_pinned_and_not_the_package(python, tmp_path):
    code, out, error = run([python, "-m", "pip", "list", "--format", "json"], tmp_path)
    assert code == 0, error
    installed = {
        each["name"].lower().replace("_", "-"): each["version"] for each in json.loads(out)
    }
    assert "recsparse" not in installed
    for pin in pinned_requirements()[0]:
        name, version = pin.split("==")
        assert installed[name].partition("+")[0] == version
