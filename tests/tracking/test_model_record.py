"""What lies in a logged model, and that it loads where the repository is not."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient

from recsparse.config.config import TrackingConfig
from recsparse.config.request_params import REQUEST_PARAMS
from recsparse.scoring.model_folder import load_model
from recsparse.tracking.contact import store_in_use
from recsparse.tracking.delivery import deliver
from recsparse.tracking.open_run import start_run
from recsparse.tracking.pinned_requirements import pinned_requirements

PAIRS = pd.DataFrame({"user_id": [0, 1], "item_id": [2, 3]})
EXAMPLE = PAIRS, pd.DataFrame({"score": pd.array([0.5, 0.25], "float32")})
LOADED = """
import json, os, sys
from importlib.abc import MetaPathFinder

needed, code, data = sys.argv[1:]
outside = [path for path in sys.path if not os.path.isdir(os.path.join(path, "recsparse"))]
sys.path[:] = [code, *outside]

class Refuse(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0].replace("_", "-")
        if path is None and top in ("sklearn", "matplotlib", "pytorch-lightning", "rich", "typer"):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
try:
    import recsparse
except ModuleNotFoundError:
    import recsparse_model
model = recsparse_model._load_pyfunc(data)
import pandas as pd
import recsparse
from importlib.metadata import version
print(json.dumps({
    "file": recsparse.__file__,
    "version": version("recsparse"),
    "imported": sorted({name.partition(".")[0] for name in sys.modules}),
    "scores": model.predict(pd.DataFrame(json.loads(needed)))["score"].tolist(),
}))
"""


@pytest.fixture
def logged(workplace, trained_folder) -> Path:
    """The folder of a logged model."""
    with start_run(TrackingConfig(), workplace, "run") as run:
        run.log_model(trained_folder / "sparse_grid", EXAMPLE, None)
    (found,) = workplace.glob("mlartifacts/models/*/artifacts")
    return found


def test_the_code_lies_with_the_model_as_a_wheel(logged):
    names = {path.name for path in (logged / "code").iterdir() if path.name != "__pycache__"}
    (wheel,) = [name for name in names if name.endswith(".whl")]
    assert names == {wheel, "recsparse_model.py"}
    assert wheel.startswith(f"recsparse-{version('recsparse')}-py3-none-")


def test_requirements_name_versions_and_never_the_package(logged):
    lines = (logged / "requirements.txt").read_text().splitlines()
    direct, constraints = pinned_requirements()
    assert lines == [*direct, "-c constraints.txt"]
    assert (logged / "constraints.txt").read_text().splitlines() == [*constraints]
    assert not any("+" in line or line.startswith("recsparse") for line in [*lines, *constraints])
    environment = yaml.safe_load((logged / "python_env.yaml").read_text())
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_signature_is_of_pairs_and_of_users_alone(logged):
    info = mlflow.models.get_model_info(str(logged))
    assert info.signature.inputs.to_dict() == [
        {"type": "long", "name": "user_id", "required": True},
        {"type": "long", "name": "item_id", "required": False},
    ]
    outputs = {each["name"]: each["required"] for each in info.signature.outputs.to_dict()}
    assert [name for name, is_required in outputs.items() if is_required] == ["score"]
    assert {"user_id", "item_id", "rank", "because_1", "share_3", "explained"} <= outputs.keys()
    assert {each.name: each.default for each in info.signature.params} == REQUEST_PARAMS
    assert info.saved_input_example_info is not None


def test_what_a_list_has_is_in_the_signature(logged, trained_folder):
    trained = load_model(trained_folder / "sparse_grid")
    info = mlflow.models.get_model_info(str(logged))
    columns = {*trained.recommend([3], explain=True)}
    assert {each["name"] for each in info.signature.outputs.to_dict()} == columns


def test_a_project_that_the_job_stands_in_leaves_nothing_in_the_model(
    workplace, trained_folder, request
):
    # MLflow takes a lock file for the model's environment, whatever the requirements say.
    for name in ("uv.lock", "pyproject.toml"):
        (workplace / name).write_text("")
    logged = request.getfixturevalue("logged")
    assert not (logged / "uv.lock").exists()
    assert (logged / "requirements.txt").is_file()


def test_a_record_that_is_sent_twice_makes_one_model(workplace, trained_folder, monkeypatch):
    def twice(record):
        address = deliver(record)
        if record.kind == "model":
            known = {**record.values, "model_id": address.removeprefix("models:/")}
            assert deliver(replace(record, values=known)) == address
        return address

    monkeypatch.setattr("recsparse.tracking.open_run.deliver", twice)
    with start_run(TrackingConfig(), workplace, "run") as run:
        address = run.log_model(trained_folder / "popularity", EXAMPLE, None)
    uri = f"sqlite:///{workplace / 'mlflow.db'}"
    with store_in_use(uri):
        (output,) = MlflowClient().get_run(run.run_id).outputs.model_outputs
        assert f"models:/{output.model_id}" == address
        assert MlflowClient().get_logged_model(output.model_id).status == "READY"


def test_the_model_loads_its_own_code_where_there_is_no_other(logged, tmp_path, trained_folder):
    data = logged / "data" / "sparse_grid"
    words = [json.dumps(PAIRS.to_dict("list")), logged / "code", data]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED, *map(str, words)],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["scores"] == load_model(data).score(PAIRS).tolist()
    assert found["version"] == version("recsparse")
    assert "mlflow" not in found["imported"]
    unpacked = Path(found["file"]).parents[1]
    assert unpacked.name.startswith("recsparse-")
    assert not unpacked.exists()
