"""Files and folders that have reached the disk, so that a power cut cannot take them away."""

import errno
import os
from pathlib import Path

# Some filesystems cannot sync a folder; their files are synced all the same.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)


def sync_tree(folder: Path) -> None:
    """Return once all files and names in a folder are on the disk, at any depth.

    Args:
        folder: The folder.
    """
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        elif path.is_file():
            sync_file(path)
    sync_folder(folder)


def sync_file(path: Path) -> None:
    """Return once a file is on the disk, so that a power cut cannot take it away.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Return once the names in a folder are on the disk.

    Args:
        path: The folder.

    Raises:
        OSError: If the disk fails.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # it may be writable alone, and some systems open no folder
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
