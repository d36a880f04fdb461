"""What `make wheel` builds runs where there is no compiler."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
NETWORK = [
    "model.kind=sparse_grid", "model.factors=4", "model.hidden=8", "model.item_iterations=1",
    "training.epochs=1",
]  # fmt: skip
LIBRARIES = {"kernels.so", "ids.so"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist and the wheel: that in RECSPARSE_DIST, or a new one."""
    if given := os.environ.get("RECSPARSE_DIST"):
        return Path(given)
    for tool in ("build", "auditwheel"):
        pytest.importorskip(tool, reason=f"{tool} is not installed; run make setup")
    folder = tmp_path_factory.mktemp("dist")
    # The environment that runs this test is the one that setup would make.
    words = ["make", "-o", "setup", "wheel", f"BIN={Path(sys.executable).parent}", f"DIST={folder}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Run a program of a new environment: it has the wheel, this one's libraries, no compiler."""
    folder = tmp_path_factory.mktemp("installed")
    place, bin_folder = folder / "venv", folder / "venv" / "bin"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "MLFLOW_", "RECSPARSE_", "COV_"))
    } | {"PATH": str(bin_folder)}

    def run(program, *words, **more):
        command = [bin_folder / program, *words]
        done = subprocess.run(
            command, cwd=folder, env=environment | more, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
    (wheel,) = built.glob("*.whl")
    run("python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    # Files within a folder that a .pth names are not read themselves, such as the one by which
    # this environment finds the working tree.
    own = sysconfig.get_path("purelib", vars={"base": str(place)})
    (Path(own) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return run


def libraries(wheel: Path) -> set[str]:
    """The names of the shared libraries in a wheel."""
    with zipfile.ZipFile(wheel) as opened:
        return {Path(name).name for name in opened.namelist() if name.endswith(".so")}


def test_there_is_one_wheel_for_every_python_labelled_with_its_glibc(built):
    (wheel,) = built.glob("*.whl")
    _, _, python, abi, system = wheel.stem.split("-")
    assert (python, abi) == ("py3", "none")
    assert system.startswith("manylinux_2_")
    assert libraries(wheel) == LIBRARIES


def test_the_sdist_has_sources_and_nothing_that_was_compiled(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        names = {Path(name).name for name in opened.getnames()}
    assert {"hatch_build.py", "conv.cpp", "ids.cpp", "kernels.h", "LICENSE", "Makefile"} <= names
    assert not {name for name in names if name.endswith((".so", ".o"))}


def test_the_sdist_builds_a_wheel_with_kernels(built, tmp_path):
    (sdist,) = built.glob("*.tar.gz")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, sdist]
    subprocess.run(command, check=True, timeout=300)
    (wheel,) = tmp_path.glob("recsparse-*-py3-none-linux_*.whl")
    assert libraries(wheel) == LIBRARIES


def test_the_wheel_runs_its_compiled_kernels_without_a_compiler(installed):
    place = installed("python", "-c", "import recsparse; print(recsparse.__file__)")
    assert "venv" in Path(place.strip()).parts
    found = json.loads(installed("recsparse", "doctor", "--json"))
    assert found["convolution kernels"].startswith("compiled, ")
    assert found["table of ids"] == "compiled"
    # What every processor of the platform has is there, whatever the one that compiled it has.
    found = json.loads(installed("recsparse", "doctor", "--json", RECSPARSE_KERNELS="base"))
    assert found["convolution kernels"] == "compiled, base"


def test_a_job_runs_from_a_log_to_scores(installed, tmp_path):
    random = np.random.default_rng(0)
    log = pd.DataFrame({"user_id": np.repeat(np.arange(40), 10)})
    log["item_id"] = np.concatenate([random.choice(20, 10, replace=False) for _ in range(40)])
    log.to_parquet(tmp_path / "log.parquet")
    log.head(25).to_parquet(tmp_path / "candidates.parquet")
    sets = [word for setting in NETWORK for word in ("--set", setting)]
    dataset, model, scores = (tmp_path / name for name in ("dataset", "model", "scores.parquet"))
    installed("recsparse", "prepare", tmp_path / "log.parquet", "--out", dataset)
    installed("recsparse", "train", dataset, "--out", model, *sets)
    candidates = tmp_path / "candidates.parquet"
    installed("recsparse", "score", model, "--candidates", candidates, "--out", scores)
    table = pd.read_parquet(scores)
    assert table["item_id"].tolist() == log["item_id"].head(25).tolist()
    assert np.isfinite(table["score"]).all()
