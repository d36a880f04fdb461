"""Filesystems: what lies at a path or an address, within a time, and local copies of it."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote

import pyarrow as pa
import pyarrow.fs as pafs

from recsparse.errors import InputError, MissingFileError, RecsparseError
from recsparse.files.addresses import ARROW_SCHEMES, is_address, plain

# What another filesystem may take to answer for the first time, and how long it may stall later.
SECONDS_TO_ANSWER, SECONDS_TO_CONNECT, SECONDS_OF_STALLING = 30, 5, 10
FileState = tuple[str, int | None, str]

_Found = TypeVar("_Found")
# What filesystems of fsspec say of a file whose time of change they do not tell.
_MARKS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated", "created", "ino")
_NAMELESS = "copy"
_copies: dict[tuple[FileState, ...], tempfile.TemporaryDirectory[str]] = {}
_origins: dict[Path, str] = {}


def open_filesystem(place: str | Path) -> tuple[pafs.FileSystem, str]:
    """Return the filesystem of a path or an address, and the path there.

    Args:
        place: A path, or an address that Arrow or fsspec can open.

    Returns:
        The filesystem, and the path on it.

    Raises:
        InputError: If no filesystem is known for the address, it is none, or there is no answer.
    """
    address = plain(place)
    if not is_address(address):
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
        kind, files = files_at(place)
        if kind == pafs.FileType.NotFound:
            raise MissingFileError(f"{plain(place)} must be a file or a folder, but there is none")
        if not files:
            raise MissingFileError(f"{plain(place)} must have files in it, but has none")
        key = ((plain(place), None, ""), *file_states(filesystem, files))
        if key not in _copies:
            _copies[key] = _copy(filesystem, path, files)
    copy = _copy_in(_copies[key], path)
    _origins[copy] = plain(place)
    return copy


def adopt(place: str | Path, made: Path) -> None:
    """Let what was just written to an address be the local copy of it.

    Args:
        place: The address.
        made: A folder with the same files, which is moved next to itself, and gone when the process
            ends.

    Raises:
        InputError: If the address cannot be read.
    """
    filesystem, path = open_filesystem(place)
    with readable(place):
        _, files = files_at(place)
        key = ((plain(place), None, ""), *file_states(filesystem, files))
    folder = tempfile.TemporaryDirectory(prefix=f"copy-{os.getpid()}-", dir=made.parent)
    made.rename(_copy_in(folder, path))
    _copies[key] = folder


def origin_of(copy: Path) -> str | None:
    """Return the address that a local path is a copy of.

    Args:
        copy: Any path.

    Returns:
        The address; None of what `fetched` did not copy.
    """
    return _origins.get(copy)


def files_at(place: str | Path) -> tuple[pafs.FileType, list[str]]:
    """Return what lies at an address.

    Args:
        place: The address.

    Returns:
        Whether it is a file, a folder, or nothing, and the paths of all files there.

    Raises:
        InputError: If there is no answer in time.
    """
    filesystem, path = open_filesystem(place)
    if isinstance(filesystem, pafs.PyFileSystem):
        filesystem.handler.fs.invalidate_cache()
    info = answer_in_time(place, lambda: filesystem.get_file_info(path))
    found = [info]
    if info.type == pafs.FileType.Directory:
        found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
    files = [each.path for each in found if each.type == pafs.FileType.File]
    return info.type, sorted(files)


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
        place: The address in question.
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

    # Such a thread is not waited for where the process ends.
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


def _remote(address: str) -> tuple[pafs.FileSystem, str]:
    scheme, _, rest = address.partition("://")
    if scheme in ("s3a", "s3n"):  # what Hadoop calls S3
        scheme, address = "s3", f"s3://{rest}"
    if not rest.partition("?")[0].strip("/"):
        raise InputError(
            f"{address} must name what is meant, as in {scheme}://bucket/folder, but names nothing"
        )
    try:
        # Arrow needs escapes for what no address may hold; those that are there stay.
        filesystem, place = pafs.FileSystem.from_uri(quote(address, safe="%/:?#@!$&'()+,;=~-._"))
    except pa.ArrowInvalid as error:
        if scheme.lower() in ARROW_SCHEMES:
            raise InputError(
                f"{address} must be an address as {scheme}://bucket/folder, but {error}"
            ) from error
        return _by_fsspec(address)
    return _impatient(filesystem), place


def _by_fsspec(address: str) -> tuple[pafs.FileSystem, str]:
    from fsspec.core import url_to_fs  # for the few addresses that Arrow itself does not open

    try:
        found, place = url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{address} must be an address that Arrow or fsspec can open, but {error}"
        ) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(found)), place


def _impatient(filesystem: pafs.FileSystem) -> pafs.FileSystem:
    """Return a filesystem that gives up sooner; S3 else takes minutes without an answer."""
    if filesystem.type_name != "s3":
        return filesystem
    # Arrow reads these from no address, and tells them only where it is copied.
    _, (options, *_) = filesystem.__reduce__()
    limits = {"connect_timeout": SECONDS_TO_CONNECT, "request_timeout": SECONDS_OF_STALLING}
    return pafs.S3FileSystem(**{**options, **limits})


def _copy_in(folder: tempfile.TemporaryDirectory[str], path: str) -> Path:
    return Path(folder.name) / (PurePosixPath(path).name or _NAMELESS)


def _copy(
    filesystem: pafs.FileSystem, path: str, files: Sequence[str]
) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="recsparse-")
    target = _copy_in(folder, path)
    for file in files:
        # Not all folders of S3 are entries of their own, and Arrow makes those alone.
        (target / file.removeprefix(path).lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    pafs.copy_files(path, str(target), source_filesystem=filesystem)
    return folder
