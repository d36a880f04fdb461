import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsparse.datasets import workspace
from recsparse.datasets.building import id_table
from recsparse.datasets.dataset_folder import load_dataset
from recsparse.datasets.workspace import Resources
from recsparse.errors import InputError, OutputError
from tests.prepared import contents, prepared, prepared_files
from tests.row_frames import all_rows

KILLED = 9  # as wait(2) tells it
OLD = [(user, item) for user in range(9) for item in range(9)]

# Forks, so that what takes a second to import is imported once.
FORKS = """
import os, signal, sys, time
from recsparse.stages.prepare import prepare
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        prepare(*sys.argv[1:], overwrite=True)
        os._exit(0)
    if line.strip():
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def write_log(path, size, seed=0):
    rng = np.random.default_rng(seed)
    columns = {
        "user_id": pa.array([f"user {user}" for user in rng.integers(0, size // 20, size)]),
        "item_id": rng.integers(0, size // 50, size),
        "timestamp": rng.integers(0, 10**6, size),
    }
    pq.write_table(pa.table(columns), path)


def write_log_of_many_users(path):
    """Write more ids than DuckDB sorts in a few megabytes."""
    users = [f"a user of one row, number {number:07}" for number in range(300_000)]
    pq.write_table(pa.table({"user_id": users, "item_id": np.arange(300_000) % 50}), path)


def test_a_killed_run_leaves_the_old_dataset_or_the_new_one(tmp_path):
    prepared(tmp_path, OLD)
    shutil.copytree(tmp_path / "dataset", tmp_path / "old")
    write_log(tmp_path / "log.parquet", 150_000)
    out, old = tmp_path / "dataset", contents(tmp_path / "old")
    command = [sys.executable, "-c", FORKS, str(tmp_path / "log.parquet"), str(out)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:

        def run(seconds=""):
            process.stdin.write(f"{seconds}\n")
            return int(process.stdout.readline())

        assert process.stdout.readline() == "ready\n"
        assert run() == 0
        started = time.perf_counter()
        assert run() == 0
        seconds = time.perf_counter() - started
        new, outcomes = contents(out), []
        moments = random.Random(0)
        while outcomes.count(KILLED) < 20:
            assert len(outcomes) < 60
            shutil.rmtree(out)
            shutil.copytree(tmp_path / "old", out)
            outcomes.append(run(moments.uniform(0, seconds)))
            load_dataset(out)
            # A process may be killed after the new dataset is in its place.
            assert contents(out) in ((old, new) if outcomes[-1] == KILLED else (new,))
        assert run() == 0
    assert contents(out) == new
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "old", "log.parquet"}


WAITING = """
import sys
from contextlib import contextmanager
from recsparse.reporting.progress import SilentReporter
from recsparse.stages.prepare import prepare

class Waiting(SilentReporter):
    waits = True

    @contextmanager
    def task(self, *arguments):
        if self.waits:
            self.waits = False
            print("at work", flush=True)
            sys.stdin.readline()
        with super().task(*arguments) as advance:
            yield advance

prepare(*sys.argv[1:], reporter=Waiting(), overwrite=True)
"""


def test_of_two_runs_at_once_the_second_is_refused_and_the_first_finishes(tmp_path):
    prepared(tmp_path, OLD)
    old, log, out = contents(tmp_path / "dataset"), tmp_path / "log.parquet", tmp_path / "dataset"
    write_log(log, 1_000)
    command = [sys.executable, "-c", WAITING, str(log), str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"at work\n"
        with pytest.raises(
            OutputError, match=r"by one job at a time, but `recsparse prepare` \(process \d+ on"
        ):
            prepared_files(log, out)
        assert contents(out) == old
        prepared_files(log, tmp_path / "another")
        process.communicate(b"\n")
    assert process.returncode == 0
    assert contents(out) == contents(tmp_path / "another")


FULL = """
import os, resource
import recsparse.stages.prepare
from recsparse.cli.main import run
for limit in (1_000, 30_000, 1_000_000):
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        run()
    print(limit, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_no_room_is_told_wherever_it_runs_out_and_the_old_dataset_stands(tmp_path):
    prepared(tmp_path, OLD)
    write_log(tmp_path / "log.parquet", 100_000)
    before, out = contents(tmp_path), tmp_path / "dataset"
    arguments = ["prepare", tmp_path / "log.parquet", "--out", out, "--memory", "20MB"]
    arguments.append("--overwrite")
    command = [sys.executable, "-c", FULL, *map(str, arguments), "--threads", "1"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1000", "2", "30000", "2", "1000000", "2"]
    messages = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(messages) == 3
    assert all("what was there before is untouched; free some space" in m for m in messages)
    assert contents(tmp_path) == before


def test_no_room_to_spill_leaves_the_old_dataset(tmp_path, monkeypatch):
    prepared(tmp_path, OLD)
    write_log_of_many_users(tmp_path / "log.parquet")
    before, configure = contents(tmp_path), workspace._configure

    def without_room(database, *others):
        configure(database, *others)
        database.execute("SET max_temp_directory_size = '1MB'")

    monkeypatch.setattr(workspace, "_configure", without_room)
    with pytest.raises(OutputError, match="must have room for temporary files, but Out of Memory"):
        prepared_files(tmp_path / "log.parquet", tmp_path / "dataset", (), Resources("10MB", 1))
    assert contents(tmp_path) == before


def test_too_little_memory_leaves_the_old_dataset(tmp_path):
    prepared(tmp_path, OLD)
    write_log_of_many_users(tmp_path / "log.parquet")
    before = contents(tmp_path)
    with pytest.raises(
        InputError, match="2MB of memory must be enough for a block of rows, but Out"
    ):
        prepared_files(tmp_path / "log.parquet", tmp_path / "dataset", (), Resources("2MB", 1))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("calls_that_work", [0, 2, 5])
def test_a_disk_that_fills_up_while_files_are_written_leaves_the_old_dataset(
    tmp_path, monkeypatch, calls_that_work
):
    prepared(tmp_path, OLD)
    before, write_table, calls = contents(tmp_path / "dataset"), pq.write_table, []

    def full(*arguments, **settings):
        calls.append(arguments)
        if len(calls) > calls_that_work:
            raise OSError(28, "no space left")
        write_table(*arguments, **settings)

    write_table(pa.table({"user_id": [1, 2], "item_id": [1, 2]}), tmp_path / "log.parquet")
    write_log(tmp_path / "log.parquet", 1_000)
    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OutputError, match=r"dataset.* needs more room than the disk has"):
        prepared_files(tmp_path / "log.parquet", tmp_path / "dataset")
    assert contents(tmp_path / "dataset") == before
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "log.parquet"}


def test_more_users_than_an_index_can_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(id_table, "_MOST_IDS", 8)
    message = r"must be fewer than 2\^31 each, but there are at least \d+ of one; split"
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, OLD)
    assert {path.name for path in tmp_path.iterdir()} == {"log.parquet"}


def test_ids_of_ten_kilobytes_come_through(tmp_path):
    rows = [(f"{user}" * 10_240, f"{item}" * 10_240) for user in range(3) for item in range(8)]
    data = prepared(tmp_path, rows)
    assert data.users.ids.to_pylist() == [f"{user}" * 10_240 for user in range(3)]
    assert sorted((row["user_id"], row["item_id"]) for row in all_rows(data).to_pylist()) == sorted(
        rows
    )
