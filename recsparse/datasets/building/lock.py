"""One writer at a time, and a clean start after one that was killed."""

import getpass
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from recsparse.atomic import make_folder, restore_folder
from recsparse.errors import InputError


@contextmanager
def sole_writer(target: str | Path) -> Iterator[None]:
    """Keep other processes from writing the same folder, and clear what killed ones left.

    The lock is a file among the temporary files of the user, so that nothing lies about beside the
    target; it does not keep out other users and machines. The system releases it when a process
    ends, however it ends.

    Args:
        target: The folder to be written.

    Yields:
        Nothing.

    Raises:
        InputError: If another process is writing it.
    """
    target = Path(target)
    make_folder(target.parent)
    lock = FileLock(_lock_file(target))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{target} must be written by one process at a time, but another one is writing it; "
            "wait for it, or name another --out"
        ) from error
    try:
        restore_folder(target)
        for path in _left_behind(target):
            shutil.rmtree(path, ignore_errors=True)
        yield
    finally:
        lock.release()


def _lock_file(target: Path) -> Path:
    name = hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"recsparse-{getpass.getuser()}-{name}.lock"


def _left_behind(target: Path) -> list[Path]:
    unfinished = re.compile(rf"\.{re.escape(target.name)}\.\d+\.[0-9a-f]{{8}}")
    return [path for path in target.parent.iterdir() if unfinished.fullmatch(path.name)]
