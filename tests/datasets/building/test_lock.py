import re
import subprocess
import sys

import pytest

from recsparse.datasets.building.lock import sole_writer
from recsparse.errors import InputError, OutputError

HOLD = """
import sys
from recsparse.datasets.building.lock import sole_writer
with sole_writer(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_writer(tmp_path):
    """A process that writes `dataset`, until it is killed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "dataset")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_writer_is_refused_until_the_first_is_killed(tmp_path, other_writer):
    message = re.escape(
        f"{tmp_path / 'dataset'} must be written by one process at a time, but another one is "
        "writing it; wait for it, or name another --out"
    )
    with pytest.raises(InputError, match=message), sole_writer(tmp_path / "dataset"):
        pass
    with sole_writer(tmp_path / "other"):
        pass
    other_writer.kill()
    other_writer.wait()
    with sole_writer(str(tmp_path / "dataset")):
        pass


def test_the_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="half-way"), sole_writer(tmp_path / "dataset"):
        raise RuntimeError("half-way")
    with sole_writer(tmp_path / "dataset"):
        pass


def test_what_killed_writers_left_is_cleared_and_nothing_else(tmp_path):
    left = [".dataset.12.0123abcd", ".dataset.99999.ffffffff"]
    others = [
        "dataset", ".dataset.12.0123abc", ".dataset.x.0123abcd", ".dataset.12.0123abcd.mine",
        ".other.12.0123abcd", "dataset.12.0123abcd", ".datasets.12.0123abcd", ".a+.1.0123abcd",
    ]  # fmt: skip
    for name in [*left, *others]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with sole_writer(tmp_path / "dataset"):
        assert {path.name for path in tmp_path.iterdir()} == set(others)
    with sole_writer(tmp_path / "a+"):
        assert not (tmp_path / ".a+.1.0123abcd").exists()


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path):
    (tmp_path / ".dataset.old").mkdir()
    (tmp_path / ".dataset.old" / "file").write_text("old")
    with sole_writer(tmp_path / "dataset"):
        assert (tmp_path / "dataset" / "file").read_text() == "old"


def test_folders_above_are_made_unless_a_file_is_there(tmp_path):
    with sole_writer(tmp_path / "deep" / "dataset"):
        assert (tmp_path / "deep").is_dir()
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="file must be a folder"),
        sole_writer(tmp_path / "file" / "dataset"),
    ):
        pass
