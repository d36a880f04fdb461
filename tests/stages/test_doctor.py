import ctypes
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from recsparse.sparse import native
from recsparse.stages import doctor as module
from recsparse.stages import torch_health
from recsparse.stages.doctor import doctor

GIB = 2**30
PAST_THE_CACHE = "pip install --force-reinstall --no-cache-dir --no-deps "


@pytest.fixture
def healthy(workplace, monkeypatch):
    """A machine that nothing is wrong with, in the words of the checks."""
    monkeypatch.setattr(module, "free_memory", lambda: 16 * GIB)
    for each in (module, torch_health):
        monkeypatch.setattr(each, "usable_cores", torch.get_num_threads)
    monkeypatch.setattr(module, "file_system", lambda folder: "ext4")
    monkeypatch.setattr(torch_health, "backend", lambda: "torch_scatter")
    monkeypatch.setattr(
        torch_health, "kernels", lambda: native.Kernels(ctypes.CDLL(None), "avx2", "")
    )
    monkeypatch.setattr(module, "is_compiled", lambda: True)
    set_free_disk(monkeypatch, 100 * GIB)
    monkeypatch.delenv("RECSPARSE_KERNELS", raising=False)
    return workplace


def set_free_disk(monkeypatch, free):
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)


def advice():
    """The one sentence that a fault is met with."""
    (sentence,) = doctor()["advice"]
    return sentence


def test_the_installation_is_described(workplace):
    found = doctor()
    assert found["torch"] == version("torch")
    assert found["MLflow store"] == f"sqlite:///{workplace}/mlflow.db"
    assert found["scatter kernels"] in ("torch", "torch_scatter")
    assert found["table of ids"] in ("compiled", "Python")
    for name in ("free disk", "free memory"):
        number, unit = found[name].split()
        assert float(number) > 0
        assert unit == "GiB"


def test_a_machine_without_a_fault_needs_no_advice(healthy):
    assert doctor()["advice"] == []


def test_a_package_that_is_missing_is_told(healthy, monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package", "torch-scatter"))
    assert doctor()["no-such-package"] == "not installed"
    assert advice() == (
        "no-such-package is not installed, but is needed; mend it by pip install no-such-package"
    )


def test_torch_scatter_is_not_needed_but_a_broken_one_is_told(healthy, monkeypatch):
    monkeypatch.setattr(torch_health, "backend", lambda: "torch")
    with monkeypatch.context() as patch:
        patch.setattr(module, "installed_version", lambda name: "2.1.2")
        said = advice()
    assert said.startswith("torch-scatter is installed, but cannot be imported")
    assert PAST_THE_CACHE in said
    assert said.endswith("--no-build-isolation --no-binary torch-scatter torch-scatter")
    missing = {"torch-scatter": "not installed"}
    monkeypatch.setattr(module, "installed_version", lambda name: missing.get(name, "1.0"))
    assert doctor()["advice"] == []


def test_kernels_that_were_not_compiled_are_told_with_the_cure(healthy, monkeypatch):
    monkeypatch.setattr(
        torch_health, "kernels", lambda: native.Kernels(None, "none", "not compiled")
    )
    assert doctor()["convolution kernels"] == "torch (not compiled)"
    assert f"install a C++ compiler, then build it past pip's cache: {PAST_THE_CACHE}" in advice()
    monkeypatch.setenv("RECSPARSE_KERNELS", "off")
    assert advice().endswith("unset RECSPARSE_KERNELS")


@pytest.mark.parametrize(
    ("threads", "cores", "cure"),
    [(8, 2, "set OMP_NUM_THREADS=2"), (1, 4, "unset OMP_NUM_THREADS")],
)
def test_threads_that_do_not_fit_the_cores_are_told(healthy, monkeypatch, threads, cores, cure):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(torch_health, "usable_cores", lambda: cores)
    assert advice().endswith(cure)


@pytest.mark.parametrize(("free", "number"), [(1.5 * GIB, 1), (2 * GIB, 0)])
def test_little_memory_is_told(healthy, monkeypatch, free, number):
    monkeypatch.setattr(module, "free_memory", lambda: int(free))
    found = doctor()["advice"]
    assert len(found) == number
    assert all("1.5 GiB of memory are free" in each and "--memory" in each for each in found)


def test_memory_that_is_unknown_is_no_fault(healthy, monkeypatch):
    monkeypatch.setattr(module, "free_memory", lambda: None)
    found = doctor()
    assert (found["free memory"], found["advice"]) == ("unknown", [])


def test_a_small_disk_is_told(healthy, monkeypatch):
    set_free_disk(monkeypatch, 3 * GIB)
    assert f"{healthy} has 3.0 GiB left" in advice()
    assert "--spill" in advice()


def test_a_folder_that_is_memory_is_told(healthy, monkeypatch):
    monkeypatch.setattr(module, "file_system", lambda folder: "tmpfs")
    assert f"{healthy} is held in memory" in advice()


def test_a_store_that_cannot_be_written_is_told_unless_it_is_elsewhere(healthy, monkeypatch):
    monkeypatch.setattr(os, "access", lambda folder, mode: Path(folder) != Path())
    assert advice().endswith("set MLFLOW_TRACKING_URI, or go to another folder")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://store.example")
    assert doctor()["advice"] == []


def test_a_table_of_ids_that_was_not_compiled_is_told_with_the_cure(healthy, monkeypatch):
    monkeypatch.setattr(module, "is_compiled", lambda: False)
    assert PAST_THE_CACHE in advice()


# torch and all that needs it cannot be imported in such a process.
WITHOUT_TORCH = """
import sys
for name in ("torch", "torch_scatter", "pytorch_lightning"):
    sys.modules[name] = None
from recsparse.cli.main import run
sys.argv[0] = "recsparse"
run()
"""


def without_torch(*words):
    run = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words), "--json"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_installation_without_torch_is_described_with_the_cure(workplace):
    found = without_torch("doctor")
    assert found["pyarrow"] == version("pyarrow")
    assert float(found["free disk"].split()[0]) > 0
    (said,) = [each for each in found["advice"] if "torch" in each.split()[:1]]
    assert said.startswith("torch is installed, but cannot be imported")
    assert said.endswith("pip install --force-reinstall --no-cache-dir torch")


def test_a_log_and_a_dataset_are_described_without_torch(small_log, small_dataset, workplace):
    log = without_torch("describe", small_log / "log.parquet", "--html", "log.html")
    assert log["rows"]["rows read"] == 400
    data = without_torch("describe", small_dataset, "--html", "dataset.html")
    assert sum(data["rows by part"].values()) > 0
    assert "training rows on the grid" not in Path("dataset.html").read_text()
