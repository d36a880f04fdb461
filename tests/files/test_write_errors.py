import errno

import pytest

from recsparse.errors import OutputError
from recsparse.files.atomic import atomic_file, atomic_folder


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_as_such_and_the_old_output_survives(tmp_path, code):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(OutputError, match="more room than the disk has"), atomic_folder(target):
        raise OSError(code, "no space")
    assert (target / "a").read_text() == "old"


def test_other_system_errors_pass_through(tmp_path):
    with pytest.raises(PermissionError), atomic_file(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "not yours")


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="file must be a folder"),
        atomic_file(tmp_path / "file" / "out"),
    ):
        pass


def test_names_of_any_length_that_the_system_takes_are_written(tmp_path):
    for length in (230, 255):
        with atomic_file(tmp_path / ("x" * length)) as aside:
            aside.write_text("some")
    with pytest.raises(OutputError, match="must have a shorter name"), atomic_file("x" * 256):
        pass


def test_a_full_or_locked_disk_is_told_for_what_it_is(tmp_path):
    for code, cure in [
        (errno.EROFS, "write to a disk that is not read-only"),
        (errno.ENOSPC, "free some space"),
    ]:
        with pytest.raises(OutputError, match=cure), atomic_file(tmp_path / "out"):
            raise OSError(code, "no")
    for code in (errno.EACCES, errno.EPERM):
        message = r"out must be writable, but it is not \(no\); .*; make its folder writable"
        with pytest.raises(OutputError, match=message), atomic_file(tmp_path / "out") as aside:
            raise OSError(code, "no", str(aside))
    with pytest.raises(OutputError, match="must be writable"), atomic_file(tmp_path / "out"):
        raise OSError(f"Failed to open local file '{tmp_path / 'out'}'. Detail: [errno 40]")
    with pytest.raises(OSError, match="csv"), atomic_file(tmp_path / "out"):
        raise OSError(errno.EACCES, "no", str(tmp_path / "out.csv"))
