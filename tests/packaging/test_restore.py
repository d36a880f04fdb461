"""A logged model in an environment that was built from its own requirements and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsparse.scoring.model_folder import load_model, save_model
from recsparse.tracking.pinned_requirements import pinned_requirements
from tests.scoring.test_model_folder import CONFIGS, train

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
ALL_KINDS = """
import json, sys
from pathlib import Path
import pandas as pd

code, folder, pairs = sys.argv[1:]
sys.path.insert(0, code)
import recsparse_model

found = {}
for each in sorted(Path(folder).iterdir()):
    model = recsparse_model._load_pyfunc(str(each))
    scores = model.predict(pd.read_parquet(pairs))["score"].tolist()
    history = json.dumps([51, 53, 50])
    rows = model.predict(pd.DataFrame({"user_id": ["new"]}), {"k": 4, "history": history})
    found[each.name] = [scores, rows["item_id"].tolist()]
heavy = {"mlflow", "matplotlib", "sklearn", "pytorch_lightning"} & {*sys.modules}
assert not heavy, heavy
print(json.dumps(found))
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


def test_every_kind_of_model_is_restored(python, logged, tmp_path):
    folder, file = tmp_path / "models", tmp_path / "pairs.parquet"
    pairs = pd.DataFrame({"user_id": [f"user {n}" for n in range(6)], "item_id": [*range(50, 56)]})
    pairs.to_parquet(file)
    expected = {}
    for config in CONFIGS:
        trained = train(config)
        save_model(trained, folder / config.kind)
        rows = pd.DataFrame({"user_id": "new", "item_id": [51, 53, 50], "timestamp": [0, 1, 2]})
        lists = trained.recommend(["new"], k=4, history=rows)
        expected[config.kind] = [trained.score(pairs).tolist(), lists["item_id"].tolist()]
    one_thread = {"OMP_NUM_THREADS": "1"}
    code, out, error = run(
        [python, "-W", "ignore", "-c", ALL_KINDS, logged / "code", folder, file],
        tmp_path,
        **one_thread,
    )
    assert code == 0, error
    assert json.loads(out.splitlines()[-1]) == expected
