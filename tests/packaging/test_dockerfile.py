"""The Dockerfile copies what is there, and what it copies is enough. Docker itself is not run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = re.split(r"^(?=FROM )", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)[1:]
BUILD, FINAL = STAGES
KEPT = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M)


def copied(stage: str) -> list[str]:
    """The paths that a stage copies from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", stage, re.M)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_build_sees_all_that_is_copied_and_nothing_else():
    assert sorted({*copied(BUILD), *copied(FINAL)}) == sorted(KEPT)
    assert [path for path in KEPT if not (ROOT / path).exists()] == []


def test_the_final_stage_takes_what_the_build_makes():
    (wheels,) = re.findall(r"^RUN pip wheel .*--wheel-dir (\S+)", BUILD, re.M)
    ((stage, source, target),) = re.findall(r"^COPY --from=(\S+) (\S+)/\S+ (\S+)/$", FINAL, re.M)
    assert BUILD.splitlines()[0].endswith(f" AS {stage}")
    assert source == wheels
    (install,) = re.findall(r"^RUN pip install .+$", FINAL, re.M)
    assert f"--constraint {target}/constraints.txt" in install
    assert install.endswith(f" {target}/*.whl")


@pytest.mark.slow
def test_what_the_build_copies_becomes_the_wheel_that_the_final_stage_takes(tmp_path):
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    source.mkdir()
    for name in copied(BUILD):
        if (ROOT / name).is_dir():
            unseen = shutil.ignore_patterns("*.so", "__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=unseen)
        else:
            shutil.copy(ROOT / name, source)
    (line,) = re.findall(r"^RUN (pip wheel .+)$", BUILD, re.M)
    words = line.replace("/wheels", str(wheels)).split()
    subprocess.run([sys.executable, "-m", *words], cwd=source, check=True, timeout=300)
    (pattern,) = re.findall(r"^COPY --from=\S+ \S+/(\S+) ", FINAL, re.M)
    assert len(list(wheels.glob(pattern))) == 1
