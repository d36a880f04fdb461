import errno
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from recsparse.datasets import workspace as module
from recsparse.datasets.workspace import Resources, workspace
from recsparse.errors import InputError, OutputError


def setting(work, name):
    return work.database.sql(f"SELECT current_setting('{name}')").fetchall()[0][0]


def test_everything_is_beside_the_target_and_gone_afterwards(tmp_path):
    with workspace(Resources(), tmp_path / "dataset") as work:
        (work.folder / "file").write_text("some")
        assert list(tmp_path.iterdir()) == [work.folder]
        assert work.folder.name.startswith(".dataset.")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_to_spill_to_is_made(tmp_path):
    resources = Resources(spill=tmp_path / "deep" / "spill")
    with workspace(resources, tmp_path / "out" / "dataset") as work:
        assert work.folder.parent == tmp_path / "deep" / "spill"
        assert Path(setting(work, "temp_directory")) == work.folder
    assert not (tmp_path / "out").exists()


def test_outputs_of_one_name_spill_side_by_side(tmp_path):
    resources = Resources(spill=tmp_path)
    with (
        workspace(resources, tmp_path / "a" / "dataset") as one,
        workspace(resources, tmp_path / "b" / "dataset") as other,
    ):
        assert one.folder != other.folder


def test_a_failure_clears_the_folder_too(tmp_path):
    with pytest.raises(RuntimeError, match="half-way"), workspace(Resources(), tmp_path / "out"):
        raise RuntimeError("half-way")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_by_the_next_one(tmp_path):
    code = (
        "import os, signal; from pathlib import Path\n"
        "from recsparse.datasets.workspace import Resources, workspace\n"
        f"with workspace(Resources(), Path({str(tmp_path / 'dataset')!r})) as work:\n"
        "    (work.folder / 'left').write_text('some')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(list(tmp_path.glob(".*/left"))) == 1
    with workspace(Resources(), tmp_path / "dataset") as work:
        assert list(work.folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_memory_and_threads_are_those_asked_for(tmp_path):
    with workspace(Resources(memory="1GiB", threads=1), tmp_path / "out") as work:
        assert setting(work, "memory_limit") == "1.0 GiB"
        assert setting(work, "threads") == 1


def test_half_of_the_memory_is_used_where_nothing_is_said(tmp_path):
    amount, unit = duckdb.sql("SELECT current_setting('memory_limit')").fetchall()[0][0].split()
    with workspace(Resources(), tmp_path / "out") as work:
        found, found_unit = setting(work, "memory_limit").split()
    assert found_unit == unit
    # DuckDB's own limit is 80 % of the memory.
    assert float(found) == pytest.approx(float(amount) / 0.8 / 2, abs=0.1)


@pytest.mark.parametrize("memory", ["lots", "4 apples", ""])
def test_a_memory_that_is_no_size_is_refused(tmp_path, memory):
    message = "memory must be a size such as 4GB or 500MB, but is "
    with (
        pytest.raises(InputError, match=message),
        workspace(Resources(memory=memory), tmp_path / "out"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(tmp_path, threads):
    message = f"threads must be at least 1, but are {threads}"
    with (
        pytest.raises(InputError, match=message),
        workspace(Resources(threads=threads), tmp_path / "out"),
    ):
        pass


def spill(folder, temporary="1TB", read=False):
    """Sort more than 20 MB holds."""
    resources = Resources(memory="20MB", threads=1, spill=folder / "spill")
    with workspace(resources, folder / "out") as work:
        work.database.execute(f"SET max_temp_directory_size = '{temporary}'")
        query = "SELECT range AS a, hash(range) AS b FROM range(3_000_000) ORDER BY b"
        if read:
            for _ in work.database.sql(query).to_arrow_reader(10_000):
                pass
        else:
            work.database.execute(f"CREATE TABLE sorted AS {query}")


@pytest.mark.parametrize("read", [False, True], ids=["by DuckDB", "by Arrow"])
def test_no_room_to_spill_is_told_as_such(tmp_path, read):
    message = (
        r"spill must have room for temporary files, but Out of Memory Error: failed to offload .*; "
        r"what was there before is untouched; free some space, or name another folder by --spill"
    )
    with pytest.raises(OutputError, match=message):
        spill(tmp_path, "10MB", read)
    assert list((tmp_path / "spill").iterdir()) == []


def test_too_little_memory_is_told_in_one_line(tmp_path):
    message = (
        r"^1MB of memory must be enough for a block of rows, but Out of Memory Error: [^\n]*; give "
        r"more by --memory, or fewer --threads$"
    )
    with (
        pytest.raises(InputError, match=message),
        workspace(Resources(memory="1MB"), tmp_path / "out") as work,
    ):
        work.database.sql("SELECT range FROM range(1_000_000) ORDER BY hash(range)").fetchall()


@pytest.mark.parametrize("kind", [OSError, pa.ArrowInvalid, duckdb.IOException])
def test_what_arrow_raises_with_the_text_of_duckdb_is_the_same(tmp_path, kind):
    with (
        pytest.raises(OutputError, match="but IO Error: File too large; what was"),
        workspace(Resources(), tmp_path / "out"),
    ):
        raise kind("IO Error: File too large\nand more")
    with (
        pytest.raises(InputError, match="but Out of Memory Error: failed; give"),
        workspace(Resources(), tmp_path / "out"),
    ):
        raise kind("Out of Memory Error: failed\nand more")


@pytest.mark.parametrize("error", [OSError("other"), pa.ArrowInvalid("other"), InputError("IO")])
def test_other_errors_pass_through(tmp_path, error):
    with (
        pytest.raises(type(error), match=str(error)) as raised,
        workspace(Resources(), tmp_path / "out"),
    ):
        raise error
    assert raised.value is error


@pytest.mark.parametrize(
    ("name", "room", "blamed"),
    [
        ("spill", None, True),
        ("out", None, False),
        (None, (0, 9), True),
        (None, (9, 0), False),
    ],
)
def test_a_full_disk_is_the_one_that_is_full(tmp_path, monkeypatch, name, room, blamed):
    spill = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path
    if room is not None and spill.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk")
    target = tmp_path / "out"
    rooms = {tmp_path: room[1] if room else 0}
    monkeypatch.setattr(module, "_free", lambda place: rooms.get(place, room[0] if room else 0))
    kind, match = (OutputError, "room for temporary files") if blamed else (OSError, "No space")

    def fill():
        with workspace(Resources(spill=spill), target) as work:
            named = None if name is None else str((work.folder if blamed else target) / "file")
            raise OSError(errno.ENOSPC, "No space left on device", named)

    with pytest.raises(kind, match=match):
        fill()


def test_temporary_files_that_cannot_be_removed_are_told(tmp_path, monkeypatch, caplog):
    def refused(path, **_):
        raise PermissionError(errno.EACCES, "not yours", str(path))

    with monkeypatch.context() as patch, workspace(Resources(), tmp_path / "out"):
        patch.setattr("os.rmdir", refused)
    assert "must be removed, but it cannot be" in caplog.text
    with monkeypatch.context() as patch:
        patch.setattr("os.rmdir", refused)
        with (
            pytest.raises(OutputError, match="be removed"),
            workspace(Resources(), tmp_path / "out"),
        ):
            pass
