import ctypes
import os
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from recsparse.sparse import native
from recsparse.stages import doctor as module
from recsparse.stages.doctor import doctor

GIB = 2**30


@pytest.fixture
def healthy(workplace, monkeypatch):
    """A machine that nothing is wrong with, in the words of the checks."""
    monkeypatch.setattr(module, "free_memory", lambda: 16 * GIB)
    monkeypatch.setattr(module, "usable_cores", torch.get_num_threads)
    monkeypatch.setattr(module, "file_system", lambda folder: "ext4")
    monkeypatch.setattr(module, "backend", lambda: "torch_scatter")
    monkeypatch.setattr(module, "kernels", lambda: native.Kernels(ctypes.CDLL(None), "avx2", ""))
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
    monkeypatch.setattr(module, "backend", lambda: "torch")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_version", lambda name: "2.1.2")
        assert advice().startswith("torch-scatter is installed, but cannot be imported")
    missing = {"torch-scatter": "not installed"}
    monkeypatch.setattr(module, "_version", lambda name: missing.get(name, "1.0"))
    assert doctor()["advice"] == []


def test_kernels_that_were_not_compiled_are_told_with_the_cure(healthy, monkeypatch):
    monkeypatch.setattr(module, "kernels", lambda: native.Kernels(None, "none", "not compiled"))
    assert doctor()["convolution kernels"] == "torch (not compiled)"
    assert advice().endswith("install a C++ compiler, then this package again")
    monkeypatch.setenv("RECSPARSE_KERNELS", "off")
    assert advice().endswith("unset RECSPARSE_KERNELS")


@pytest.mark.parametrize(
    ("threads", "cores", "cure"),
    [(8, 2, "set OMP_NUM_THREADS=2"), (1, 4, "unset OMP_NUM_THREADS")],
)
def test_threads_that_do_not_fit_the_cores_are_told(healthy, monkeypatch, threads, cores, cure):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
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
