"""Addresses: which are local paths, which lie on other filesystems, and local copies of these."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.fs as pafs
from fsspec import available_protocols
from fsspec.core import url_to_fs

from recsparse.errors import InputError, MissingFileError, OutputError, RecsparseError

# What another filesystem may take to answer for the first time, and how long it may stall later.
SECONDS_TO_ANSWER, SECONDS_TO_CONNECT, SECONDS_OF_STALLING = 30, 5, 10
FileState = tuple[str, int | None, str]

_Found = TypeVar("_Found")
# A letter and a colon are a drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)(.*)", re.DOTALL)
_OF_ARROW = {"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"}
# What filesystems of fsspec say of a file whose time of change they do not tell.
_MARKS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated", "created", "ino")
_NAMELESS = "copy"
_copies: dict[tuple[FileState, ...], tempfile.TemporaryDirectory[str]] = {}


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


def folder_of(place: str | Path) -> Path:
    """Return the folder that something is in, for what goes beside it.

    Args:
        place: A path or an address.

    Returns:
        The folder above a path; the current one for what lies on another filesystem.
    """
    return Path() if is_address(place) else Path(plain(place)).parent


def open_filesystem(place: str | Path) -> tuple[pafs.FileSystem, str]:
    """Return the filesystem of a path or an address, and the path there.

    Args:
        place: A path, or an address that Arrow or fsspec can open.

    Returns:
        The filesystem, and the path on it.

    Raises:
        InputError: If no filesystem is known for the address, it is none, or nobody answers.
    """
    address = plain(place)
    if not _is_remote(address):
        return pafs.LocalFileSystem(), address
    with readable(place):
        return answer_in_time(place, lambda: _remote(address))


def holds(folder: str | Path, name: str) -> bool:
    """Say whether a folder has a file.

    Args:
        folder: A path or an address.
        name: Of the file.

    Returns:
        True if it is there.

    Raises:
        InputError: If the address cannot be read.
    """
    filesystem, place = open_filesystem(folder)
    wanted = f"{place.rstrip('/')}/{name}" if place else name
    with readable(folder):
        found = answer_in_time(folder, lambda: filesystem.get_file_info(wanted))
    return bool(found.type == pafs.FileType.File)


def fetched(place: str | Path) -> Path:
    """Return a local path to read from.

    Args:
        place: A path, or the address of a file or a folder on another filesystem.

    Returns:
        The path itself, or that of a copy, which is gone when the process ends.

    Raises:
        MissingFileError: If there is nothing at the address.
        InputError: If it cannot be read.
    """
    if not is_address(place):
        return Path(plain(place))
    filesystem, path = open_filesystem(place)
    with readable(place):
        info = answer_in_time(place, lambda: filesystem.get_file_info(path))
        if info.type == pafs.FileType.NotFound:
            raise MissingFileError(f"{plain(place)} must be a file or a folder, but there is none")
        found = [info]
        if info.type == pafs.FileType.Directory:
            found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
        files = [each.path for each in found if each.type == pafs.FileType.File]
        if not files:
            raise MissingFileError(f"{plain(place)} must have files in it, but has none")
        key = ((plain(place), None, ""), *file_states(filesystem, files))
        if key not in _copies:
            _copies[key] = _copy(filesystem, path, files)
    return Path(_copies[key].name) / (PurePosixPath(path).name or _NAMELESS)


def file_states(filesystem: pafs.FileSystem, names: Sequence[str]) -> list[FileState]:
    """Return what tells files from those that were at their places before.

    Args:
        filesystem: Where they are.
        names: Their paths there.

    Returns:
        Of each file its path, its size, and when it changed, or what else its filesystem marks
        its content by.
    """
    states: list[FileState] = []
    for info in filesystem.get_file_info([*names]) if names else []:
        mark = str(info.mtime_ns)
        if info.mtime_ns is None and isinstance(filesystem, pafs.PyFileSystem):
            told = filesystem.handler.fs.info(info.path)
            mark = repr([(name, str(told[name])) for name in _MARKS if name in told])
        states.append((info.path, info.size, mark))
    return states


@contextmanager
def readable(place: str | Path) -> Iterator[None]:
    """Turn what a filesystem raises into errors that name the address.

    Args:
        place: What is read.

    Yields:
        Nothing.

    Raises:
        RecsparseError: The one from within.
        InputError: If it cannot be read.
    """
    try:
        yield
    except RecsparseError:
        raise
    # Each filesystem of fsspec has errors of its own.
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{plain(place)} must be readable, but {cause}; check the address, its credentials and "
            "the network"
        ) from error


def answer_in_time(place: str | Path, ask: Callable[[], _Found]) -> _Found:
    """Return what a filesystem answers, unless it does not.

    Args:
        place: What is asked for.
        ask: Asks.

    Returns:
        The answer.

    Raises:
        InputError: If there is none in time.
        Exception: What was raised instead of an answer.
    """
    if not is_address(place):
        return ask()
    answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()

    def wait() -> None:
        try:
            answers.put((ask(), None))
        except Exception as error:  # raised again, where the caller is
            answers.put((None, error))

    # Nobody waits for such a thread where the process ends.
    Thread(target=wait, daemon=True).start()
    try:
        answer, error = answers.get(timeout=SECONDS_TO_ANSWER)
    except Empty:
        raise InputError(
            f"{plain(place)} must answer within {SECONDS_TO_ANSWER} seconds, but does not; check "
            "the address and the network"
        ) from None
    if error is not None:
        raise error
    found: _Found = answer
    return found


def _is_remote(text: str) -> bool:
    found = _SCHEME.fullmatch(text)
    return found is not None and found[2] == "//"


def _known_schemes() -> set[str]:
    return _OF_ARROW | set(available_protocols())


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


def _remote(address: str) -> tuple[pafs.FileSystem, str]:
    scheme, _, rest = address.partition("://")
    if scheme in ("s3a", "s3n"):  # what Hadoop calls S3
        scheme, address = "s3", f"s3://{rest}"
    if not rest.partition("?")[0].strip("/"):
        raise InputError(
            f"{address} must name what is meant, as in {scheme}://bucket/folder, but names nothing"
        )
    try:
        # Arrow wants what no address may hold in escapes; those that there are stay.
        filesystem, place = pafs.FileSystem.from_uri(quote(address, safe="%/:?#@!$&'()+,;=~-._"))
    except pa.ArrowInvalid as error:
        if scheme.lower() in _OF_ARROW:
            raise InputError(
                f"{address} must be an address as {scheme}://bucket/folder, but {error}"
            ) from error
        return _by_fsspec(address)
    return _impatient(filesystem), place


def _by_fsspec(address: str) -> tuple[pafs.FileSystem, str]:
    try:
        found, place = url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{address} must be an address that Arrow or fsspec can open, but {error}"
        ) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(found)), place


def _impatient(filesystem: pafs.FileSystem) -> pafs.FileSystem:
    """Return a filesystem that gives up sooner; S3 else takes minutes where nobody answers."""
    if filesystem.type_name != "s3":
        return filesystem
    # Arrow reads these from no address, and tells them only where it is copied.
    _, (options, *_) = filesystem.__reduce__()
    limits = {"connect_timeout": SECONDS_TO_CONNECT, "request_timeout": SECONDS_OF_STALLING}
    return pafs.S3FileSystem(**{**options, **limits})


def _copy(
    filesystem: pafs.FileSystem, path: str, files: Sequence[str]
) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="recsparse-")
    target = Path(folder.name) / (PurePosixPath(path).name or _NAMELESS)
    for file in files:
        # Not all folders of S3 are entries of their own, and Arrow makes those alone.
        (target / file.removeprefix(path).lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    pafs.copy_files(path, str(target), source_filesystem=filesystem)
    return folder
