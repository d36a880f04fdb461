"""Addresses: which are paths of this machine, and which lie on other filesystems."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from recsparse.errors import InputError, OutputError

ARROW_SCHEMES = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})
# A letter and a colon are a drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)(.*)", re.DOTALL)


def is_address(place: str | Path) -> bool:
    """Say whether something lies on another filesystem.

    Args:
        place: A path or an address.

    Returns:
        True for `s3://bucket/folder` and the like; False for paths, and for `file:///…`, which is
        one.

    Example:
        >>> is_address("s3://bucket/log"), is_address("file:///log"), is_address("C:/log")
        (True, False, False)
    """
    return _is_remote(plain(place))


def plain(place: str | Path) -> str:
    """Return a path, or an address of another filesystem, as text.

    Args:
        place: A path or an address; one that pathlib took a slash from gets it back.

    Returns:
        The same; of `file:///x` the path `/x`.

    Raises:
        InputError: If an address that starts with `file:` names another machine.

    Example:
        >>> plain("file:///log%20of%20today"), plain("s3://bucket/log"), plain("a/log")
        ('/log of today', 's3://bucket/log', 'a/log')
    """
    text = str(place)
    found = _SCHEME.fullmatch(text)
    if found is None:
        return text
    scheme, slashes, rest = found[1].lower(), found[2], found[3]
    if scheme == "file":
        return _path_of_file(text, slashes, rest)
    if isinstance(place, Path) and slashes == "/" and scheme in _known_schemes():
        return f"{found[1]}://{rest}"
    return text


def local_path(place: str | Path) -> Path:
    """Return where to write.

    Args:
        place: A path, or an address that starts with `file:`.

    Returns:
        The path.

    Raises:
        OutputError: If it lies on another filesystem.
    """
    if is_address(place):
        raise OutputError(
            f"{place} must be a path of this machine, but is an address; write to a path, and copy "
            "it from there"
        )
    return Path(plain(place))


def last_name(place: str | Path) -> str:
    """Return the last part of a path or of an address.

    Args:
        place: A path or an address.

    Returns:
        Its name, without the settings that follow a question mark in an address.

    Example:
        >>> last_name("s3://bucket/models/today?region=eu-west-1"), last_name("models/today/")
        ('today', 'today')
    """
    text = plain(place)
    return PurePosixPath(text.partition("?")[0]).name if _is_remote(text) else Path(text).name


def absolute(place: str | Path) -> str:
    """Return what names the same from any folder.

    Args:
        place: A path or an address.

    Returns:
        The whole path, links followed; an address as it is.
    """
    text = plain(place)
    return text if _is_remote(text) else str(Path(text).resolve())


def folder_of(place: str | Path) -> Path:
    """Return the folder that something is in, for what goes next to it.

    Args:
        place: A path or an address.

    Returns:
        The folder above a path; the current one for what lies on another filesystem.
    """
    return Path() if is_address(place) else Path(plain(place)).parent


def _is_remote(text: str) -> bool:
    found = _SCHEME.fullmatch(text)
    return found is not None and found[2] == "//"


def _known_schemes() -> frozenset[str]:
    from fsspec import available_protocols  # which most paths need not wait for

    return ARROW_SCHEMES | set(available_protocols())


def _path_of_file(text: str, slashes: str, rest: str) -> str:
    if slashes == "/":  # as pathlib leaves it, and as it may be written
        path = f"/{rest}"
    else:
        host, slash, below = rest.partition("/")
        if host not in ("", "localhost") or not slash:
            raise InputError(
                f"{text} must name a file of this machine, with three slashes, but names the "
                f"machine {host!r}; write file:///…"
            )
        path = f"/{below}"
    # Folders of partitions have escapes in their own names.
    return path if Path(path).exists() else unquote(path)
