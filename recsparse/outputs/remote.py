"""Outputs on other filesystems: what lies there in outline, and uploads that prove themselves."""

import tempfile
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from recsparse.config.toml_writer import to_toml
from recsparse.errors import OutputError, RecsparseError
from recsparse.files.addresses import plain
from recsparse.files.filesystems import (
    FileState,
    answer_in_time,
    file_states,
    files_at,
    open_filesystem,
)
from recsparse.outputs.manifest import MANIFEST, files_of

# Hidden names, which readers of folders pass over.
_RECORD, _PROBE = ".recsparse-upload.toml", ".recsparse-probe-"
# Of texts, all is read; of Parquet files, the last bytes, which hold most footers.
_MOST_TEXT, _TAIL = 16 << 20, 1 << 16
_THREADS = 8
# These have no folders that would have to be made.
_OBJECT_STORES = ("s3", "gcs", "abfs")


_Each = TypeVar("_Each")


@dataclass(frozen=True)
class Upload:
    """An upload that was begun and is not known to have ended.

    Attributes:
        kind: What is uploaded, such as `model`.
        job: Digest of the job.
        files: Names of all files that are ours, old and new ones.
    """

    kind: str
    job: str
    files: frozenset[str]


@dataclass(frozen=True)
class Outline:
    """What lies at an address: what its proof needs.

    Attributes:
        path: A local file or folder of the same names and sizes; of the content there are texts and
            the ends of Parquet files alone. Nothing is there where nothing is at the address.
        states: What changes when something is written there.
        upload: The upload that did not end, if one did not.
    """

    path: Path
    states: tuple[FileState, ...]
    upload: Upload | None

    @property
    def foreign(self) -> str | None:
        """Name of a file that the upload did not write, if there is one."""
        assert self.upload is not None
        names = (name for name, _ in files_of(self.path))
        return next((name for name in names if name not in self.upload.files), None)


@contextmanager
def outline(address: str | Path) -> Iterator[Outline]:
    """Fetch what proves who wrote what lies at an address.

    Args:
        address: Of a file or a folder that may exist.

    Yields:
        The outline, which is removed afterwards.

    Raises:
        OutputError: If the address cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="recsparse-") as folder:
        target = Path(folder) / "outline"
        with _output_errors(address):
            filesystem, place = open_filesystem(address)
            kind, files = files_at(address)
            files = [file for file in files if not _name(file, place).startswith(_PROBE)]
            states = tuple(file_states(filesystem, files))
            if kind == pafs.FileType.Directory:
                target.mkdir()
            _for_each(filesystem, states, lambda state: _fetch(filesystem, place, state, target))
        upload = _read_record(target / _RECORD)
        if upload is not None:
            (target / _RECORD).unlink()
        yield Outline(target, states, upload)


def require_writable_there(address: str | Path, is_folder: bool) -> None:
    """Raise an error unless a file can be made where an output goes, by making and removing one.

    Args:
        address: The output to come.
        is_folder: Whether it is a folder.

    Raises:
        OutputError: If no file can be made.
    """
    with _output_errors(address):
        filesystem, place = open_filesystem(address)
        folder = place.rstrip("/") if is_folder else str(PurePosixPath(place).parent)
        probe = f"{folder}/{_PROBE}{uuid.uuid4().hex[:8]}"

        def write() -> None:
            _write(filesystem, probe, b"")
            filesystem.delete_file(probe)

        answer_in_time(address, write)


def upload(made: Path, address: str | Path, kind: str, job: str) -> None:
    """Put an output to its address: its files, its manifest last; then old files are removed.

    Until all is there, a hidden file says which job is at it, so that the next try may resume.

    Args:
        made: A local file or folder, which stays.
        address: Where all files that are there are ours.
        kind: What it is, such as `model`.
        job: Digest of the job.

    Raises:
        OutputError: If it cannot be written; what was made is kept.
    """
    with _output_errors(address, made):
        filesystem, place = open_filesystem(address)
        place = place.rstrip("/")
        if made.is_file():
            _make_parent(filesystem, place)
            pafs.copy_files(str(made), place, destination_filesystem=filesystem)
            _require_sizes(address, {"": made.stat().st_size})
            return
        new = {name: path.stat().st_size for name, path in files_of(made)}
        old = {_name(file, place) for file in files_at(address)[1]} - {_RECORD}
        old = {name for name in old if not name.startswith(_PROBE)}
        record = {"kind": kind, "job": job, "files": sorted(old | set(new))}
        _write(filesystem, f"{place}/{_RECORD}", to_toml(record).encode())

        def put(name: str) -> None:
            _make_parent(filesystem, f"{place}/{name}")
            source, target = str(made / name), f"{place}/{name}"
            pafs.copy_files(source, target, destination_filesystem=filesystem)

        _for_each(filesystem, [name for name in new if name != MANIFEST], put)
        if MANIFEST in new:
            put(MANIFEST)
        for name in sorted(old - set(new)):
            filesystem.delete_file(f"{place}/{name}")
        _require_sizes(address, new)
        filesystem.delete_file(f"{place}/{_RECORD}")


def _fetch(filesystem: pafs.FileSystem, place: str, state: FileState, target: Path) -> None:
    path, size, _ = state
    name = _name(path, place)
    if ".." in PurePosixPath(name).parts:
        raise OutputError(
            f"the output must hold nothing but what recsparse wrote, but holds {path}; nothing was "
            "touched; name another --out"
        )
    local = target / name if name else target
    local.parent.mkdir(parents=True, exist_ok=True)
    with local.open("wb") as file:
        file.truncate(size or 0)
        if path.lower().endswith(".parquet"):
            with filesystem.open_input_file(path) as source:
                end = _end_of_parquet(source)
            file.seek((size or 0) - len(end))
            file.write(end)
        elif (not name or name.endswith(".toml")) and (size or 0) <= _MOST_TEXT:
            with filesystem.open_input_file(path) as source:
                file.write(source.read())


def _end_of_parquet(source: pa.NativeFile) -> bytes:
    size = source.size()
    source.seek(max(0, size - _TAIL))
    end: bytes = source.read()
    needed = int.from_bytes(end[-8:-4], "little") + 8
    if len(end) < needed <= size and end.endswith(b"PAR1"):
        source.seek(size - needed)
        end = source.read()
    return end


def _read_record(path: Path) -> Upload | None:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return Upload(str(found["kind"]), str(found["job"]), frozenset(map(str, found["files"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _require_sizes(address: str | Path, wanted: Mapping[str, int]) -> None:
    filesystem, place = open_filesystem(address)
    states = file_states(filesystem, files_at(address)[1])
    found = {_name(path, place): size for path, size, _ in states}
    wrong = [name for name, size in wanted.items() if found.get(name) != size]
    more = [name for name in found if name not in (*wanted, _RECORD)]
    if wrong or any(not name.startswith(_PROBE) for name in more):
        raise OutputError(
            f"{plain(address)} must hold what was written there, but {(wrong + more)[0]!r} is "
            "another; another job writes there, too; start the job again"
        )


def _write(filesystem: pafs.FileSystem, path: str, content: bytes) -> None:
    _make_parent(filesystem, path)
    with filesystem.open_output_stream(path) as file:
        file.write(content)


def _make_parent(filesystem: pafs.FileSystem, path: str) -> None:
    parent = str(PurePosixPath(path).parent)
    if filesystem.type_name not in _OBJECT_STORES and parent.strip("/."):
        filesystem.create_dir(parent, recursive=True)


def _for_each(
    filesystem: pafs.FileSystem, all_of_them: Sequence[_Each], do: Callable[[_Each], None]
) -> None:
    # Not all filesystems of fsspec can be used by several threads.
    threads = 1 if isinstance(filesystem, pafs.PyFileSystem) else _THREADS
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(do, all_of_them):
            pass


def _name(file: str, place: str) -> str:
    return file.strip("/").removeprefix(place.strip("/")).lstrip("/")


@contextmanager
def _output_errors(address: str | Path, kept: Path | None = None) -> Iterator[None]:
    try:
        yield
    except RecsparseError:
        raise
    # Each filesystem of fsspec has errors of its own.
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        hint = "" if kept is None else f"; what was to be written is kept in {kept}"
        raise OutputError(
            f"{plain(address)} must be writable, but {cause}{hint}; check the address, its "
            "credentials and the network"
        ) from error
