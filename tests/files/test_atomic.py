import errno
import os
import shutil
from pathlib import Path

import pytest

from recsparse.errors import OutputError
from recsparse.files import atomic
from recsparse.files.atomic import (
    atomic_file,
    atomic_folder,
    clear_left_behind,
    follow_links,
    make_folder,
    publish_folder,
    remove,
    require_room,
    require_writable,
    restore_folder,
)


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


def test_a_move_that_fails_puts_the_old_folder_back(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(OSError, match="No such file"):
        publish_folder(tmp_path / "never made", target)
    assert (target / "a").read_text() == "old"


@pytest.fixture
def without_swap(monkeypatch):
    """A system that cannot exchange two folders in one step."""
    monkeypatch.setattr(atomic, "_swap", lambda one, other: False)


def folder_of(path, text):
    path.mkdir()
    (path / "a").write_text(text)
    return path


def test_a_folder_is_replaced_on_any_system(tmp_path, without_swap):
    target = folder_of(tmp_path / "out", "old")
    with atomic_folder(target) as aside:
        (aside / "a").write_text("new")
    assert (target / "a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_folders_are_swapped_where_the_system_can(tmp_path, monkeypatch):
    one, other = folder_of(tmp_path / "one", "1"), folder_of(tmp_path / "other", "2")
    if not atomic._swap(one, other):
        pytest.skip("this system cannot swap two folders")
    assert ((one / "a").read_text(), (other / "a").read_text()) == ("2", "1")
    monkeypatch.chdir(tmp_path)
    assert atomic._swap(Path("one"), Path("other"))
    assert ((one / "a").read_text(), (other / "a").read_text()) == ("1", "2")
    assert not atomic._swap(one, tmp_path / "nowhere")
    assert (one / "a").read_text() == "1"


def test_a_kill_between_the_two_moves_loses_nothing(tmp_path, monkeypatch, without_swap):
    target, filled = folder_of(tmp_path / "out", "old"), folder_of(tmp_path / "new", "new")
    rename, calls = Path.rename, []

    def killed(path, to):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_folder(filled, target)
    assert not target.exists()
    restore_folder(target)
    assert (target / "a").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "new"}


def test_a_kill_after_the_two_moves_leaves_the_new_folder(tmp_path):
    target = folder_of(tmp_path / "out", "new")
    folder_of(tmp_path / ".out.old", "old")
    restore_folder(target)
    clear_left_behind(target)
    assert (target / "a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_there_is_nothing_to_restore_where_nothing_was_replaced(tmp_path):
    restore_folder(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_second_move_that_fails_puts_the_old_folder_back(tmp_path, without_swap):
    target = folder_of(tmp_path / "out", "old")
    with pytest.raises(OSError, match="No such file"):
        publish_folder(tmp_path / "never made", target)
    assert (target / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_and_those_above_it_are_made_unless_a_file_is_in_the_way(tmp_path):
    for _ in range(2):
        make_folder(str(tmp_path / "deep" / "er"))
    assert (tmp_path / "deep" / "er").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file must be a folder, but"):
        make_folder(tmp_path / "file")


def test_what_killed_writers_left_is_cleared_and_nothing_else(tmp_path):
    left = [".dataset.12.0123abcd", ".dataset.99999.ffffffff", ".dataset.old"]
    others = [
        "dataset", ".dataset.12.0123abc", ".dataset.x.0123abcd", ".dataset.12.0123abcd.mine",
        ".other.12.0123abcd", "dataset.12.0123abcd", ".datasets.12.0123abcd", ".a+.1.0123abcd",
    ]  # fmt: skip
    for name in [*left, *others]:
        folder_of(tmp_path / name, name)
    (tmp_path / ".dataset.7.0123abcd").write_text("a file")
    clear_left_behind(tmp_path / "dataset")
    assert {path.name for path in tmp_path.iterdir()} == set(others)
    clear_left_behind(tmp_path / "a+")
    assert not (tmp_path / ".a+.1.0123abcd").exists()


def test_a_link_to_a_folder_is_followed_and_stays(tmp_path):
    folder_of(tmp_path / "old", "old")
    (tmp_path / "link").symlink_to("old")
    with atomic_folder(tmp_path / "link") as aside:
        (aside / "a").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old" / "a").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"link", "old"}


def test_a_link_to_a_file_is_followed_and_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "out.txt")
    for text in ("first", "second"):
        with atomic_file(tmp_path / "link") as aside:
            aside.write_text(text)
        assert (tmp_path / "elsewhere" / "out.txt").read_text() == text
    assert (tmp_path / "link").is_symlink()


def test_a_link_that_leads_nowhere_gets_its_target(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new" / "target")
    with atomic_folder(tmp_path / "link") as aside:
        (aside / "a").write_text("new")
    assert (tmp_path / "link" / "a").read_text() == "new"
    assert (tmp_path / "new" / "target").is_dir()


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="a must lead to a file or folder, but its links lead in"):
        follow_links(tmp_path / "a")


def test_what_cannot_be_removed_is_named(tmp_path, monkeypatch):
    folder_of(tmp_path / "a", "some")
    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", refused)
        with pytest.raises(OutputError, match=r"a must be removed, but it cannot be: .*not yours"):
            remove(tmp_path / "a")
    remove(tmp_path / "a")
    remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    folder_of(tmp_path / "a", "some")
    (tmp_path / "link").symlink_to("a")
    remove(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "a").read_text() == "some"


def test_an_old_folder_that_stays_is_warned_of(tmp_path, monkeypatch, caplog):
    target = folder_of(tmp_path / "out", "old")
    with monkeypatch.context() as patch, atomic_folder(target) as aside:
        (aside / "a").write_text("new")
        patch.setattr(os, "rmdir", refused)
    assert (target / "a").read_text() == "new"
    assert "must be removed, but it cannot be" in caplog.text


def test_a_place_that_cannot_be_written_is_found_out_before_the_work(tmp_path, monkeypatch):
    require_writable(tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []
    monkeypatch.setattr(Path, "mkdir", lambda path, **_: refused(path))
    with pytest.raises(OutputError, match=r"new must be a folder, but .* not yours"):
        require_writable(tmp_path / "new" / "out")


def refused(path, **_):
    raise PermissionError(errno.EACCES, "not yours", str(path))


def test_a_disk_that_is_full_already_is_told_before_the_work(tmp_path, monkeypatch):
    require_room(tmp_path / "not" / "there" / "yet")
    usage = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(OutputError, match=r"new must have room .* 1,000,000 bytes.* has 4,096"):
        require_room(tmp_path / "new")
    require_room(tmp_path / "new", 4096)
    assert list(tmp_path.iterdir()) == []
