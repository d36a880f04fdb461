"""What this process may use of the machine, limits of its container included."""

import os
from pathlib import Path

# Of control groups, version 2, as containers have them (kernel.org: admin-guide/cgroup-v2).
_CONTROL = Path("/sys/fs/cgroup")
_MEMORY, _MOUNTS = Path("/proc/meminfo"), Path("/proc/self/mounts")


def free_memory() -> int | None:
    """Return the memory that can be had without swapping.

    Returns:
        Bytes; None where the system does not tell.
    """
    found = [_available(), _left_to_container()]
    return min((number for number in found if number is not None), default=None)


def _available() -> int | None:
    for line in _lines(_MEMORY):
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return None


def _left_to_container() -> int | None:
    limit, used = (_lines(_CONTROL / name) for name in ("memory.max", "memory.current"))
    if not limit or not used or limit[0] == "max":
        return None
    # Pages of files that are not in use count as used, but give way.
    stat = dict(line.split() for line in _lines(_CONTROL / "memory.stat"))
    return max(int(limit[0]) - int(used[0]) + int(stat.get("inactive_file", 0)), 0)


def usable_cores() -> int:
    """Return the number of cores that this process may use.

    Returns:
        At least 1; fewer than the machine has where it is bound to some, or has a quota.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    quota = (_lines(_CONTROL / "cpu.max") or ["max 1"])[0].split()
    if quota[0] != "max":
        cores = min(cores, -(-int(quota[0]) // int(quota[1])))
    return max(cores, 1)


def file_system(folder: Path) -> str:
    """Return the kind of file system that a folder is on.

    Args:
        folder: Any folder.

    Returns:
        Such as `ext4` or `tmpfs`; empty where the system does not tell.
    """
    place, found = folder.resolve(), ""
    depth = -1
    for line in _lines(_MOUNTS):
        _, mounted, kind, *_ = line.split(" ")
        above = Path(mounted.encode().decode("unicode_escape"))
        # Of several mounts at one place the last one is seen.
        if place.is_relative_to(above) and len(above.parts) >= depth:
            depth, found = len(above.parts), kind
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
