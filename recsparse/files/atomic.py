"""Outputs that appear whole or not at all: written aside, synced, then renamed into place."""

import ctypes
import errno
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from recsparse.errors import OutputError
from recsparse.files.addresses import local_path
from recsparse.files.syncing import sync_file, sync_folder, sync_tree
from recsparse.files.write_errors import as_output_errors

logger = logging.getLogger(__name__)

# Of Linux, in fcntl.h and linux/fs.h.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# What a hidden name adds has to fit into the 255 bytes of a name, too.
_LONGEST_STEM = 200
# A disk with less has no room for any output and what is recorded of it.
LEAST_ROOM = 1_000_000


@contextmanager
def atomic_file(target: str | Path) -> Iterator[Path]:
    """Give a path next to `target` to write to, and rename it to `target` on success.

    Args:
        target: The file to publish; an older one is replaced in a single step. A link is followed,
            and stays.

    Yields:
        A path that does not exist yet, in the same folder as `target`.

    Raises:
        OutputError: If the file cannot be written; the one at `target` is as it was before.
    """
    target = follow_links(target)
    aside = _path_beside(target)
    with as_output_errors(target, aside), _removed_afterwards(aside):
        yield aside
        sync_file(aside)
        aside.replace(target)
        sync_folder(target.parent)


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """Give an empty folder next to `target` to fill, and move it to `target` on success.

    Args:
        target: The folder to publish; an older one is swapped out and then removed. A link is
            followed, and stays.

    Yields:
        An existing empty folder in the same parent as `target`.

    Raises:
        OutputError: If the folder cannot be written; the one at `target` is as it was before.
    """
    target = follow_links(target)
    aside = _path_beside(target)
    with as_output_errors(target, aside), _removed_afterwards(aside):
        aside.mkdir(parents=True)
        yield aside
        publish_folder(aside, target)


def publish_folder(filled: Path, target: Path) -> None:
    """Move a filled folder to `target`; what was there goes away only after the move.

    All files reach the disk before the move. Where the system can swap two folders in one step, no
    moment is without a folder at `target`, whatever kills the process. Elsewhere the old one waits
    next to it, for `restore_folder`.

    Args:
        filled: The folder to move, on the same filesystem.
        target: Its final place; no link.

    Raises:
        OSError: If the move fails; the old content is put back first.
    """
    sync_tree(filled)
    if not target.exists():
        filled.rename(target)
    elif _swap(filled, target):
        remove_or_warn(filled)
    else:
        old = _old(target)
        target.rename(old)
        try:
            filled.rename(target)
        except OSError:
            old.rename(target)
            raise
        remove_or_warn(old)
    sync_folder(target.parent)


def restore_folder(target: Path) -> None:
    """Put an old folder back, where a process was killed between the two moves that replace it.

    Args:
        target: The folder that may be missing.
    """
    old = _old(target)
    if old.exists() and not target.exists():
        old.rename(target)


def clear_left_behind(target: Path) -> None:
    """Remove what killed processes were writing next to `target`; no other may be writing it now.

    Args:
        target: The file or folder that was being written; no link.
    """
    unfinished = re.compile(rf"\.{re.escape(_stem(target.name))}\.\d+\.[0-9a-f]{{8}}")
    for path in list(target.parent.iterdir()):
        if path == _old(target) or unfinished.fullmatch(path.name):
            remove_or_warn(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all it holds, unless it is not there.

    Args:
        path: What to remove; of a link, the link alone.

    Raises:
        OutputError: If something stays.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        if os.path.lexists(path):
            raise OutputError(
                f"{path} must be removed, but it cannot be: {error}; remove it by hand"
            ) from error


def remove_or_warn(path: Path) -> None:
    """Remove what is no longer needed, and warn of what stays.

    Args:
        path: What to remove; of a link, the link alone.
    """
    # The output stands, or its own error is on the way.
    try:
        remove(path)
    except OutputError as error:
        logger.warning("%s", error)


def follow_links(path: str | Path) -> Path:
    """Return where a path leads, without links; what is there need not exist.

    Args:
        path: A path.

    Returns:
        An absolute path.

    Raises:
        OutputError: If its links lead in a circle, it is too long to be a path, or the address of
            another filesystem.
    """
    path = local_path(path)
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OutputError(
                f"{path} must lead to a file or folder, but its links lead in a circle; remove the "
                "link, or name another output"
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError(f"{path} must have a shorter name ({error.strerror})") from error
    return Path(os.path.realpath(path))


def make_folder(folder: str | Path) -> None:
    """Make a folder and those above it, unless they are there.

    Args:
        folder: The folder.

    Raises:
        OutputError: If it cannot be made, for example since a file is in its place.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} must be a folder, but {error}") from error


def require_writable(target: Path) -> None:
    """Raise an error unless a file or folder can be made at a path, by making one next to it.

    Args:
        target: The output to come.

    Raises:
        OutputError: If its folder cannot be written.
    """
    probe = _path_beside(target)
    with as_output_errors(target, probe):
        probe.mkdir()
        probe.rmdir()


def require_room(folder: Path, at_least: int = LEAST_ROOM) -> None:
    """Refuse a disk that is full already, before the work whose result would not fit.

    Args:
        folder: Where the output will lie; it, or a folder above it, is there.
        at_least: Bytes that the output surely takes.

    Raises:
        OutputError: If the disk has less.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < at_least:
        raise OutputError(
            f"{folder.absolute()} must have room for the output, at least {at_least:,} bytes, but "
            f"its disk has {free:,}; free some space or write to another disk"
        )


def _old(target: Path) -> Path:
    return target.parent / f".{_stem(target.name)}.old"


def _swap(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where the system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    # The folders of the paths are the current one (or none, as both are absolute).
    paths = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    return bool(renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)


def _stem(name: str) -> str:
    if len(os.fsencode(name)) <= _LONGEST_STEM:
        return name
    return sha256(os.fsencode(name)).hexdigest()


def _path_beside(target: Path) -> Path:
    make_folder(target.parent)
    return target.parent / f".{_stem(target.name)}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


@contextmanager
def _removed_afterwards(aside: Path) -> Iterator[None]:
    try:
        yield
    finally:
        remove_or_warn(aside)
