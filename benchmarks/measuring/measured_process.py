"""Seconds and peak memory of a command in a process of its own."""

import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PROC = Path("/proc")
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        seconds: From start to end, the start of the interpreter included.
        cpu_seconds: Of the processor, of all its threads and children that it waited for.
        peak_mb: Peak of the resident memory, of all its processes together.
        output: What it printed last, or why it failed.
        failed: Whether it ended with another status than 0.
        anonymous_mb: Peak of the memory that its processes have for themselves, without mapped
            files, as it was looked at every 50 ms.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str
    failed: bool
    anonymous_mb: float = 0.0


def run_measured(command: Sequence[str], seconds: float = 3_600) -> Run:
    """Run a command to its end and measure it; Linux only.

    The kernel keeps the peak of each process, so that no peak falls between two looks at it. Mapped
    files count where they are resident.

    Args:
        command: Program and arguments; runs in the root of the repository.
        seconds: It is killed after this many.

    Returns:
        What it took.
    """
    peaks: dict[int, int] = {}
    anonymous = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        start, cpu_before = time.perf_counter(), _cpu_seconds_of_children()
        process = subprocess.Popen(command, cwd=_ROOT, stdout=printed, stderr=printed)
        _kill_first(process.pid)
        while process.poll() is None:
            family = _family(process.pid)
            for pid in family:
                peaks[pid] = max(peaks.get(pid, 0), _status_bytes(pid, "VmHWM"))
            anonymous = max(anonymous, sum(_status_bytes(pid, "RssAnon") for pid in family))
            if time.perf_counter() - start > seconds:
                process.kill()
            time.sleep(_POLL_SECONDS)
        taken = time.perf_counter() - start
        printed.seek(0)
        lines = printed.read().strip().splitlines()
    status = process.returncode
    said = lines[-1] if lines and status >= 0 else f"exit status {status}"
    cpu = _cpu_seconds_of_children() - cpu_before
    peak = sum(peaks.values()) / 1e6
    return Run(taken, cpu, peak, said, status != 0, anonymous / 1e6)


def machine() -> str:
    """Return what the figures were measured on, and how busy it was, as one line."""
    cpu = [
        line.partition(":")[2].strip()
        for line in (_PROC / "cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{cpu[0] if cpu else platform.processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, DuckDB {version('duckdb')}, pyarrow "
        f"{version('pyarrow')}; load of the machine before the run: {os.getloadavg()[0]:.1f}\n"
    )


def _cpu_seconds_of_children() -> float:
    # Of those that have ended.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kill_first(pid: int) -> None:
    # Where memory runs out, the system is to end this process and nothing else (man 5 proc).
    with suppress(OSError):
        (_PROC / str(pid) / "oom_score_adj").write_text("1000")


def _family(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):  # it may have ended meanwhile
        for children in (_PROC / str(pid) / "task").glob("*/children"):
            for child in children.read_text().split():
                found += _family(int(child))
    return found


def _status_bytes(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0
