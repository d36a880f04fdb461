"""Loads a logged model by the recsparse that was logged with it.

MLflow finds this file in the model's folder of code, next to the wheel. It needs nothing but the
standard library until the wheel is unpacked.
"""

import atexit
import os
import shutil
import sys
import tempfile
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any


def _load_pyfunc(data_path: str) -> Any:
    """Load a model; MLflow looks this function up by its name.

    Where recsparse is imported already, that is used: a process has one of it.
    """
    code = Path(__file__).parent
    if "recsparse" not in sys.modules:
        sys.path.insert(0, _unpacked(code))
    _import_own(code, Path(data_path))
    return import_module("recsparse.scoring.pyfunc")._load_pyfunc(data_path)


def _import_own(code: Path, data: Path) -> None:
    # A model of a kind that is not ours names its class; what lies here was logged with it.
    find_section = import_module("recsparse.config.model_kinds").find_section
    told = tomllib.loads((data / "model.toml").read_text(encoding="utf-8")).get("plugins", {})
    for kind, name in told.items():
        module = name.partition(":")[0]
        top = module.partition(".")[0]
        is_here = (code / top).is_dir() or (code / f"{top}.py").is_file()
        if is_here and find_section(kind) is None:
            import_module(module)


def _unpacked(folder: Path) -> str:
    (wheel,) = folder.glob("recsparse-*.whl")
    unpacked, owner = tempfile.mkdtemp(prefix="recsparse-"), os.getpid()

    def remove() -> None:
        # A forked process that ends leaves the files to the others.
        if os.getpid() == owner:
            shutil.rmtree(unpacked, ignore_errors=True)

    atexit.register(remove)
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(unpacked)
    return unpacked
