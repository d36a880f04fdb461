"""Compiles the CPU kernels of sparse convolution and of numbering ids as the package is built.

Where there is no C++ compiler the package is built without them: convolutions run on torch
operations alone, and ids are numbered in Python; `recsparse doctor` says which.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("recsparse/sparse/kernels")
LIBRARY = FOLDER / "kernels.so"
# Apart from the others, since preparing data loads neither torch nor its OpenMP.
IDS = Path("recsparse/datasets/building/kernels/ids.cpp")
IDS_LIBRARY = IDS.with_suffix(".so")
COMMON = ["-O3", "-std=c++17", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"]
# One build of conv.cpp for each instruction set; the best that the processor has is picked at run
# time. Elsewhere than on x86 the compiler's own target serves.
AVX512 = ["-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mfma"]
X86_VARIANTS = {
    "avx512bf16": ([*AVX512, "-mavx512bf16"], 64, 32),
    "avx512": (AVX512, 64, 32),
    "avx2": (["-mavx2", "-mfma"], 32, 16),
    "base": ([], 16, 16),
}


def compile_kernels(root: Path) -> None:
    """Compile the kernels into one shared library next to their sources.

    Args:
        root: The folder of the package's pyproject.toml.

    Raises:
        FileNotFoundError: If there is no C++ compiler.
        CalledProcessError: If it fails.
    """
    compiler = _compiler()
    folder = root / FOLDER
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    variants = X86_VARIANTS if is_x86 else {"base": ([], 16, 32)}
    commands = [[f"{name}.cpp", "-o", f"{name}.o"] for name in ("pairs", "memory")]
    for suffix, (flags, vector_bytes, registers) in variants.items():
        settings = [f"-DVECTOR_BYTES={vector_bytes}", f"-DVECTOR_REGISTERS={registers}"]
        commands.append(
            ["conv.cpp", *flags, *settings, f"-DSUFFIX={suffix}", "-o", f"conv_{suffix}.o"]
        )
    objects = [command[-1] for command in commands]
    try:
        # The variants are independent of each other.
        running = [
            subprocess.Popen([compiler, *COMMON, *_openmp(), "-c", *command], cwd=folder)
            for command in commands
        ]
        for process in [*running]:
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, process.args)
        # Written aside and renamed: a process that has the library open keeps its old one.
        aside = folder / "kernels.new.so"
        subprocess.run(
            [compiler, "-shared", *objects, "-o", aside.name, *_libraries()], cwd=folder, check=True
        )
        aside.replace(root / LIBRARY)
    finally:
        for name in objects:
            (folder / name).unlink(missing_ok=True)


def compile_ids(root: Path) -> None:
    """Compile the table of ids into a shared library next to its source.

    Args:
        root: The folder of the package's pyproject.toml.

    Raises:
        FileNotFoundError: If there is no C++ compiler.
        CalledProcessError: If it fails.
    """
    aside = root / IDS.with_suffix(".new.so")
    command = [_compiler(), *COMMON, "-shared", str(root / IDS), "-o", str(aside)]
    subprocess.run(command, check=True)
    aside.replace(root / IDS_LIBRARY)


def _compiler() -> str:
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise FileNotFoundError("no C++ compiler (c++, g++ or $CXX)")
    return compiler


def _openmp() -> list[str]:
    return ["-Xclang", "-fopenmp"] if sys.platform == "darwin" else ["-fopenmp"]


def _libraries() -> list[str]:
    # The OpenMP runtime is the one that torch has loaded: two would fight for the cores.
    return ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []


class KernelsBuildHook(BuildHookInterface[Any]):
    """Adds the compiled kernels to the wheel, or builds it without them and says so."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the package are collected.

        Args:
            version: Of the build target, `standard` or `editable`.
            build_data: What the builder is told.
        """
        if self.target_name != "wheel":
            return
        try:
            compile_kernels(Path(self.root))
            compile_ids(Path(self.root))
        except (OSError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"built without the compiled CPU kernels: {error}")
            return
        build_data["artifacts"] += [str(LIBRARY), str(IDS_LIBRARY)]
        build_data["pure_python"] = False
        build_data["tag"] = (
            f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        )


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    compile_kernels(here)
    compile_ids(here)
