import errno

import pytest

from recsparse.atomic import atomic_file, atomic_folder, publish_folder
from recsparse.errors import OutputError


def _fail_half_way(output, name):
    with output as aside:
        (aside / name).write_text("half")
        raise RuntimeError("half-way")


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "deep" / "out.txt"
    with atomic_file(target) as aside:
        aside.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["out.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"):
        _fail_half_way(atomic_file(target), "")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(RuntimeError, match="half-way"):
        _fail_half_way(atomic_folder(target), "a")
    assert (target / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_all_of_the_old_one(tmp_path):
    target = tmp_path / "out"
    for name in ("first", "second"):
        with atomic_folder(target) as aside:
            (aside / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [target]


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


def test_a_move_that_fails_puts_the_old_folder_back(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(OSError, match="No such file"):
        publish_folder(tmp_path / "never made", target)
    assert (target / "a").read_text() == "old"
