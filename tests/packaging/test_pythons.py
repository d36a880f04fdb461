"""What needs no torch runs on each Python of the metadata that this machine has."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
# What the command line and preparing data import.
LIGHT = {
    "duckdb", "filelock", "fsspec", "numpy", "pandas", "platformdirs", "pyarrow", "pydantic",
    "rich", "scipy", "typer",
}  # fmt: skip
COMPILE_ALL = """
import pathlib, sys, warnings
warnings.simplefilter("error")
for path in sys.argv[1:]:
    compile(pathlib.Path(path).read_bytes(), path, "exec", dont_inherit=True)
"""

pytestmark = pytest.mark.slow


def interpreter(version: str) -> str | None:
    """A Python of this version on the PATH, or one of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    # Of pyenv's Pythons there are shims on the PATH which do not run.
    return next((str(each) for each in found if each and runs(each)), None)


def runs(python: str | Path) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


@pytest.fixture(scope="module", params=PYTHONS)
def python(request) -> str:
    """The path of an interpreter of each version."""
    return interpreter(request.param) or pytest.skip(f"there is no Python {request.param} here")


def run(*words, **more) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        words, env=environment | more, capture_output=True, text=True, timeout=600, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_version_from_the_oldest_is_declared():
    oldest = PROJECT["requires-python"].removeprefix(">=3.")
    assert PYTHONS[0] == f"3.{oldest}"
    assert [int(each[2:]) for each in PYTHONS] == list(
        range(int(oldest), int(oldest) + len(PYTHONS))
    )


def test_every_file_is_of_that_pythons_grammar(python):
    folders = ("recsparse", "pipelines", "benchmarks", "tests")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert ROOT / "recsparse" / "errors.py" in files
    run(python, "-c", COMPILE_ALL, *files)


def test_errors_need_nothing_but_python(python):
    code = "import recsparse; print(issubclass(recsparse.RecsparseError, Exception))"
    assert run(python, "-c", code) == "True\n"


def test_a_log_is_prepared(python, tmp_path):
    place = tmp_path / "venv"
    run(python, "-m", "venv", str(place))
    wanted = [each for each in PROJECT["dependencies"] if re.split(r"[<>=!]", each)[0] in LIGHT]
    assert len(wanted) == len(LIGHT)
    pip = [place / "bin" / "pip", "install", "--quiet", "--only-binary", ":all:"]
    done = subprocess.run([*pip, *wanted], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        pytest.skip(f"its dependencies cannot be installed: {done.stderr[-200:]}")
    # Without a compiler that works, the package is built without kernels.
    run(*pip[:3], "--no-deps", ROOT, CXX="false")
    log = pd.DataFrame({"user_id": np.repeat(np.arange(40), 10), "item_id": np.arange(400) % 19})
    log.to_parquet(tmp_path / "log.parquet")
    command = place / "bin" / "recsparse"
    assert "prepare" in run(command, "--help")
    run(command, "prepare", tmp_path / "log.parquet", "--out", tmp_path / "dataset")
    config = (
        'import recsparse as rs; print(rs.load_config(overrides=["split.test=0.2"]).split.test)'
    )
    assert run(place / "bin" / "python", "-c", config) == "0.2\n"
    assert (tmp_path / "dataset" / "manifest.toml").exists()
