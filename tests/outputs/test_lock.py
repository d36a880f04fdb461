import os
import re
import subprocess
import sys

import pytest

from recsparse.errors import OutputError
from recsparse.outputs.lock import hold

HOLD = """
import sys
from pathlib import Path
from recsparse.outputs.lock import hold
with hold([Path(sys.argv[1])], "train", "0123456789abcdef"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_job(tmp_path):
    """A process that writes `model`, until it is killed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "model")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_job_is_refused_and_told_of_the_first_until_that_is_killed(tmp_path, other_job):
    message = (
        rf"^{re.escape(str(tmp_path))}/model must be written by one job at a time, but `recsparse "
        rf"train` \(process {other_job.pid} on .+, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC, job "
        r"0123456789ab\) is writing it; wait for it, or name another --out$"
    )
    with pytest.raises(OutputError, match=message), hold([tmp_path / "model"], "train", ""):
        pass
    with hold([tmp_path / "other"], "train", ""):
        pass
    other_job.kill()
    other_job.wait()
    with hold([tmp_path / "model"], "train", ""):
        pass


def test_one_of_several_places_is_enough_to_be_refused_and_the_others_are_let_go(tmp_path):
    one, two, three = (tmp_path / name for name in "abc")
    with hold([one, two], "score", ""):
        refusal = pytest.raises(OutputError, match="b must be written by one job")
        with refusal, hold([three, two], "score", ""):
            pass
        with hold([three], "score", ""):
            pass


def test_the_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="half-way"), hold([tmp_path / "a"], "train", ""):
        raise RuntimeError("half-way")
    with hold([tmp_path / "a"], "train", ""):
        pass


def test_nothing_lies_beside_the_output(tmp_path):
    with hold([tmp_path / "a"], "train", ""):
        assert list(tmp_path.iterdir()) == []


def test_another_folder_for_temporary_files_makes_no_difference(tmp_path, other_job, monkeypatch):
    if not os.access("/tmp", os.W_OK):
        pytest.skip("there is no /tmp")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(OutputError, match="one job at a time"), hold([tmp_path / "model"], "", ""):
        pass
