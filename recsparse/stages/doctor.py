"""The state of the installation: versions, kernels, threads, room, and what of it will hurt."""

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recsparse.config.config import TrackingConfig
from recsparse.datasets.building.id_table import is_compiled
from recsparse.errors import reason
from recsparse.stages.installed import NOT_INSTALLED, build_again, installed_version
from recsparse.stages.machine import file_system, free_memory, usable_cores
from recsparse.tracking.store import local_uri, tracking_uri

try:
    from recsparse.stages.torch_health import torch_advice, torch_findings

    _BROKEN_TORCH = ""
except Exception as error:  # whatever is wrong with torch, the rest is shown
    _BROKEN_TORCH = reason(error)

PACKAGES = (
    "recsparse", "torch", "torch-scatter", "pytorch-lightning", "mlflow", "pyarrow", "duckdb",
    "pandas", "numpy", "scipy", "scikit-learn", "matplotlib",
)  # fmt: skip
OPTIONAL = ("torch-scatter",)
_GIB = 2**30
_LITTLE_MEMORY, _LITTLE_DISK = 2, 10


def doctor(folder: str | Path = ".") -> dict[str, Any]:
    """Return what one asks first when something does not work, and advice on what will hurt.

    Nothing outside of this machine is asked, an MLflow server neither. Without torch, the
    rest is shown.

    Args:
        folder: Where outputs would go, and temporary files next to them.

    Returns:
        Names and findings; `advice` is a list with one sentence a fault, each with its cure.
    """
    folder = Path(folder)
    memory = free_memory()
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: installed_version(name) for name in PACKAGES},
        **({} if _BROKEN_TORCH else torch_findings()),
        "table of ids": "compiled" if is_compiled() else "Python",
        "cores": str(usable_cores()),
        "MLflow store": tracking_uri(TrackingConfig(), folder),
        "free disk": f"{shutil.disk_usage(folder).free / _GIB:.1f} GiB",
        "free memory": "unknown" if memory is None else f"{memory / _GIB:.1f} GiB",
    }
    return found | {"advice": [*_on_packages(found), *_on_speed(found), *_on_room(folder, memory)]}


def _on_packages(found: dict[str, str]) -> Iterator[str]:
    for name in PACKAGES:
        if name not in OPTIONAL and found[name] == NOT_INSTALLED:
            yield f"{name} is not installed, but is needed; mend it by pip install {name}"
    if _BROKEN_TORCH:
        if found["torch"] != NOT_INSTALLED:
            yield (
                f"torch is installed, but cannot be imported ({_BROKEN_TORCH}); install it again: "
                "pip install --force-reinstall --no-cache-dir torch"
            )
        return
    if found["torch-scatter"] != NOT_INSTALLED and found["scatter kernels"] == "torch":
        cure = build_again("torch-scatter", "--no-build-isolation")
        yield (
            "torch-scatter is installed, but cannot be imported, and torch's own operations take "
            f"its place; for torch {found['torch']}, {cure}"
        )


def _on_speed(found: dict[str, str]) -> Iterator[str]:
    if found["table of ids"] != "compiled":
        yield (
            "preparing data is slower without the compiled table of ids; install a C++ compiler, "
            f"then {build_again('recsparse')}"
        )
    if not _BROKEN_TORCH:
        yield from torch_advice()


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
            "the size of a log next to its output; name a folder on a larger disk by --spill"
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
