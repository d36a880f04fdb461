"""Where an output is made on this machine: at its path, or in the cache for an address."""

import hashlib
import os
from pathlib import Path

from recsparse.environment import cache_folder
from recsparse.files.addresses import is_address, last_name, plain
from recsparse.files.atomic import follow_links, remove_or_warn

_OUTPUTS, _NAMELESS = "outputs", "output"


def local_place(out: str | Path) -> Path:
    """Return where an output is made.

    Args:
        out: A path, or an address of another filesystem.

    Returns:
        The path without links; for an address, a path in the user's cache, the same each time, so
        that a job resumes from its unfinished parts.

    Raises:
        OutputError: If the links of a path lead in a circle, or it is too long.
    """
    if not is_address(out):
        return follow_links(out)
    name = hashlib.sha256(plain(out).rstrip("/").encode()).hexdigest()[:16]
    return follow_links(cache_folder() / _OUTPUTS / name / (last_name(out) or _NAMELESS))


def place_of_work(out: str | Path) -> Path:
    """Return where an output is made, as messages name it: a path as it was given.

    Args:
        out: A path, or an address of another filesystem.

    Returns:
        A path.
    """
    return local_place(out) if is_address(out) else Path(plain(out))


def clear_copies(folder: Path) -> None:
    """Remove copies of outputs that processes left which were killed.

    Args:
        folder: Where outputs of one address are made.
    """
    for copy in folder.glob("copy-*"):
        owner = copy.name.split("-")[1]
        if owner.isdigit() and not _is_alive(int(owner)):
            remove_or_warn(copy)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
