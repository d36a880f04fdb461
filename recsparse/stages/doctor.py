"""The state of the installation: versions, kernels, threads, room, and what of it will hurt."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from recsparse.config import TrackingConfig
from recsparse.datasets.building.id_table import is_compiled
from recsparse.environment import wanted_kernels
from recsparse.sparse.native import kernels
from recsparse.sparse.scatter import backend
from recsparse.stages.machine import file_system, free_memory, usable_cores
from recsparse.training.store import local_uri, tracking_uri

PACKAGES = (
    "recsparse", "torch", "torch-scatter", "pytorch-lightning", "mlflow", "pyarrow", "duckdb",
    "pandas", "numpy", "scipy", "scikit-learn", "matplotlib",
)  # fmt: skip
OPTIONAL = ("torch-scatter",)
_GIB = 2**30
_NOT_INSTALLED = "not installed"
# Measured by `python -m benchmarks.threads`.
_DETERMINISM = (
    "the same bits with the same number of threads; with another, scores of networks and factors "
    "differ by about 1e-5 of their standard deviation"
)
_LITTLE_MEMORY, _LITTLE_DISK = 2, 10


def doctor(folder: str | Path = ".") -> dict[str, Any]:
    """Return what one asks first when something does not work, and advice on what will hurt.

    Nothing outside of this machine is asked, an MLflow server neither.

    Args:
        folder: Where outputs would go, and temporary files beside them.

    Returns:
        Names and findings; `advice` is a list with one sentence a fault, each with its cure.
    """
    folder = Path(folder)
    memory = free_memory()
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
        "scatter kernels": backend(),
        "convolution kernels": _convolution_kernels(),
        "table of ids": "compiled" if is_compiled() else "Python",
        "threads": str(torch.get_num_threads()),
        "determinism": _DETERMINISM,
        "cores": str(usable_cores()),
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "not available",
        "MLflow store": tracking_uri(TrackingConfig(), folder),
        "free disk": f"{shutil.disk_usage(folder).free / _GIB:.1f} GiB",
        "free memory": "unknown" if memory is None else f"{memory / _GIB:.1f} GiB",
    }
    return found | {"advice": [*_on_packages(found), *_on_speed(), *_on_room(folder, memory)]}


def _on_packages(found: dict[str, str]) -> Iterator[str]:
    for name in PACKAGES:
        if name not in OPTIONAL and found[name] == _NOT_INSTALLED:
            yield f"{name} is not installed, but is needed; mend it by pip install {name}"
    if found["torch-scatter"] != _NOT_INSTALLED and found["scatter kernels"] == "torch":
        yield (
            "torch-scatter is installed, but cannot be imported, and torch's own operations take "
            f"its place; build it against torch {found['torch']}: pip install --force-reinstall "
            "--no-build-isolation --no-deps torch-scatter"
        )


def _on_speed() -> Iterator[str]:
    compiled = kernels()
    if compiled.library is None:
        cure = "install a C++ compiler, then this package again"
        if wanted_kernels() == "off":
            cure = "unset RECSPARSE_KERNELS"
        yield f"convolutions are several times as slow without compiled kernels; {cure}"
    threads, cores = torch.get_num_threads(), usable_cores()
    if threads > cores:
        yield (
            f"torch has {threads} threads, but may use {cores} cores, and threads that wait for "
            f"each other are slow; set OMP_NUM_THREADS={cores}"
        )
    if threads == 1 < cores:
        yield f"torch has 1 thread, but may use {cores} cores; unset OMP_NUM_THREADS"


def _on_room(folder: Path, memory: int | None) -> Iterator[str]:
    if memory is not None and memory < _LITTLE_MEMORY * _GIB:
        yield (
            f"{memory / _GIB:.1f} GiB of memory are free, and prepare may take half of all; give "
            "it a limit, as in --memory 500MB"
        )
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_DISK * _GIB:
        yield (
            f"{folder.resolve()} has {free / _GIB:.1f} GiB left, and prepare spills several times "
            "the size of a log beside its output; name a folder on a larger disk by --spill"
        )
    if file_system(folder) in ("tmpfs", "ramfs"):
        yield (
            f"{folder.resolve()} is held in memory, so that what prepare spills to it frees none; "
            "name a folder on a disk by --spill"
        )
    local = tracking_uri(TrackingConfig(), folder) == local_uri(folder)
    if local and not os.access(folder, os.W_OK):
        yield (
            f"{folder.resolve()} must be writable for the MLflow store, but is not; set "
            "MLFLOW_TRACKING_URI, or go to another folder"
        )


def _convolution_kernels() -> str:
    found = kernels()
    return f"torch ({found.reason})" if found.library is None else f"compiled, {found.variant}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return _NOT_INSTALLED
