"""Files that stand in for a caller's frames while a job runs: what to call them, what they hold."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_names: dict[str, str] = {}


@contextmanager
def standing_in(names: Mapping[Path, str]) -> Iterator[None]:
    """Let files stand in for frames, whose names messages then have in the place of the paths.

    Args:
        names: What to call each file, by its absolute path.

    Yields:
        Nothing.
    """
    ours = {str(path): name for path, name in names.items()}
    _names.update(ours)
    try:
        yield
    finally:
        for path in ours:
            del _names[path]


def called(path: str | Path) -> str:
    """Return what a message calls a file.

    Args:
        path: Any path or address.

    Returns:
        The name of the frame that the file stands in for; else the path itself.
    """
    return _names.get(str(path), str(path))


def content_of_frame(path: str | Path) -> str | None:
    """Return what tells a frame from others, since the path of its file says nothing.

    Args:
        path: Any path.

    Returns:
        A digest of the file where it stands in for a frame; else None.
    """
    if str(path) not in _names:
        return None
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
