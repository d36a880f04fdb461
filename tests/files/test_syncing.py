import errno
import os
import stat

import pytest

from recsparse.files.syncing import sync_file, sync_folder, sync_tree


@pytest.fixture
def synced(monkeypatch):
    """Record what is synced, by its number on the disk."""
    numbers = []
    monkeypatch.setattr(os, "fsync", lambda file: numbers.append(os.fstat(file).st_ino))
    return numbers


def test_a_tree_is_synced_with_all_files_and_folders(tmp_path, synced):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    sync_tree(tmp_path)
    expected = [tmp_path, *tmp_path.rglob("*")]
    assert sorted(synced) == sorted(path.stat().st_ino for path in expected)


def refuse_folders(code):
    def fsync(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(code, os.strerror(code))

    return fsync


def test_a_filesystem_that_syncs_no_folder_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("a")
    monkeypatch.setattr(os, "fsync", refuse_folders(errno.EINVAL))
    sync_folder(tmp_path)
    sync_file(tmp_path / "a.txt")


def test_a_disk_that_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refuse_folders(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_folder(tmp_path)


def test_a_folder_that_cannot_be_opened_is_passed_over(tmp_path):
    sync_folder(tmp_path / "nowhere")
