"""The state of the installation: versions, kernels, threads, room."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from recsparse.config import TrackingConfig
from recsparse.sparse.native import kernels
from recsparse.sparse.scatter import backend
from recsparse.training.store import tracking_uri

PACKAGES = (
    "recsparse", "torch", "torch-scatter", "pytorch-lightning", "mlflow", "pyarrow", "pandas",
    "duckdb", "scikit-learn",
)  # fmt: skip


def doctor(folder: str | Path = ".") -> dict[str, str]:
    """Return what one asks first when something does not work.

    Args:
        folder: Where outputs would go.

    Returns:
        Names and findings.
    """
    free = shutil.disk_usage(folder).free / 2**30
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "scatter kernels": backend(),
        "convolution kernels": _convolution_kernels(),
        "threads": str(torch.get_num_threads()),
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "not available",
        "MLflow store": tracking_uri(TrackingConfig(), folder),
        "free disk": f"{free:.1f} GiB",
        "free memory": f"{memory:.1f} GiB",
    }


def _convolution_kernels() -> str:
    found = kernels()
    return f"torch ({found.reason})" if found.library is None else f"compiled, {found.variant}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
