"""Outputs that appear whole or not at all: written aside, then renamed into place."""

import ctypes
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsparse.errors import OutputError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Of Linux, in fcntl.h and linux/fs.h.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def atomic_file(target: str | Path) -> Iterator[Path]:
    """Give a path beside `target` to write to, and rename it to `target` on success.

    Args:
        target: The file to publish; an older one is replaced in a single step.

    Yields:
        A path that does not exist yet, in the same folder as `target`.

    Raises:
        OutputError: If the disk is full; the file at `target` is as it was before.
    """
    target = Path(target)
    aside = _path_beside(target)
    with _disk_full_as_output_error(target), _removed_afterwards(aside):
        yield aside
        aside.replace(target)


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """Give an empty folder beside `target` to fill, and move it to `target` on success.

    Args:
        target: The folder to publish; an older one is swapped out and then removed.

    Yields:
        An existing empty folder in the same parent as `target`.

    Raises:
        OutputError: If the disk is full; the folder at `target` is as it was before.
    """
    target = Path(target)
    aside = _path_beside(target)
    with _disk_full_as_output_error(target), _removed_afterwards(aside):
        aside.mkdir(parents=True)
        yield aside
        publish_folder(aside, target)


def publish_folder(filled: Path, target: Path) -> None:
    """Move a filled folder to `target`; what was there goes away only after the move.

    Where the system can swap two folders in one step, no moment is without a folder at `target`,
    whatever kills the process. Elsewhere the old one waits beside it, for `restore_folder`.

    Args:
        filled: The folder to move, on the same filesystem.
        target: Its final place.

    Raises:
        OSError: If the move fails; the old content is put back first.
    """
    if not target.exists():
        filled.rename(target)
        return
    if _swap(filled, target):
        _remove(filled)
        return
    old = _old(target)
    target.rename(old)
    try:
        filled.rename(target)
    except OSError:
        old.rename(target)
        raise
    _remove(old)


def restore_folder(target: Path) -> None:
    """Put an old folder back, where a process was killed between the two moves that replace it.

    Args:
        target: The folder that may be missing.
    """
    old = _old(target)
    if old.exists() and not target.exists():
        old.rename(target)
    _remove(old)


def _old(target: Path) -> Path:
    return target.parent / f".{target.name}.old"


def _swap(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where the system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    # The folders of the paths are the current one (or none, as both are absolute).
    paths = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    return bool(renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)


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


def _path_beside(target: Path) -> Path:
    make_folder(target.parent)
    return target.parent / f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


@contextmanager
def _removed_afterwards(aside: Path) -> Iterator[None]:
    try:
        yield
    finally:
        _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _disk_full_as_output_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise OutputError(
            f"{target} needs more room than the disk has ({error.strerror}); what was there "
            "before is untouched; free some space or write to another disk"
        ) from error
