import os

import pytest

from recsparse.stages import machine
from recsparse.stages.machine import file_system, free_memory, usable_cores

MOUNTS = """\
/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
none {folder} tmpfs rw 0 0
/dev/vdb {folder}/large\\040disk xfs rw 0 0
"""


@pytest.fixture
def control(tmp_path, monkeypatch):
    """A folder in the place of the control group's, with a machine of 4 MB free memory."""
    monkeypatch.setattr(machine, "_CONTROL", tmp_path)
    memory = tmp_path / "meminfo"
    memory.write_text("MemTotal: 9000 kB\nMemAvailable:   4096 kB\n")
    monkeypatch.setattr(machine, "_MEMORY", memory)
    return tmp_path


def test_without_a_container_what_the_machine_has_is_free(control):
    assert free_memory() == 4096 * 1024
    (control / "memory.max").write_text("max\n")
    (control / "memory.current").write_text("5\n")
    assert free_memory() == 4096 * 1024


@pytest.mark.parametrize(("cache", "free"), [(0, 70), (20, 90)])
def test_a_container_has_its_limit_less_what_is_used_but_for_pages_that_give_way(
    control, cache, free
):
    (control / "memory.max").write_text("100\n")
    (control / "memory.current").write_text("30\n")
    (control / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\n")
    assert free_memory() == free


def test_a_container_that_is_over_its_limit_has_nothing_left(control):
    (control / "memory.max").write_text("100\n")
    (control / "memory.current").write_text("130\n")
    assert free_memory() == 0


def test_where_the_system_tells_nothing_memory_is_unknown(control):
    (control / "meminfo").unlink()
    assert free_memory() is None


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)],
)
def test_cores_are_those_of_the_quota(control, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    (control / "cpu.max").write_text(f"{quota}\n")
    assert usable_cores() == cores


def test_cores_are_those_that_the_process_is_bound_to(control, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert usable_cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert usable_cores() == 4


def test_the_innermost_mount_is_the_file_system_of_a_folder(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(folder=tmp_path))
    monkeypatch.setattr(machine, "_MOUNTS", mounts)
    assert file_system(tmp_path) == file_system(tmp_path / "some" / "folder") == "tmpfs"
    assert file_system(tmp_path / "large disk" / "spill") == "xfs"
    assert file_system(tmp_path.parent) == "ext4"
    mounts.unlink()
    assert file_system(tmp_path) == ""
