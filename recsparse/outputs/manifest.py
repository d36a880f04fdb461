"""The manifest of a folder: what job wrote it, and which files, with their sizes and checksums."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from recsparse.config.toml_writer import write_toml
from recsparse.errors import InputError

MANIFEST = "manifest.toml"


@dataclass(frozen=True)
class FileRecord:
    """A file as it was written.

    Attributes:
        size: In bytes.
        sha256: Of its content.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder says about its files.

    Attributes:
        kind: What the folder is, such as `model`.
        job: Digest of what it was made from.
        files: Its files by their path in the folder, with `/`.
    """

    kind: str
    job: str
    files: Mapping[str, FileRecord]

    @property
    def digest(self) -> str:
        """Digest of all files, names and content; the same for the same bytes."""
        content = sorted((name, record.sha256) for name, record in self.files.items())
        return hashlib.sha256(repr(content).encode()).hexdigest()


def write_manifest(folder: Path, kind: str, job: str) -> None:
    """Describe the files of a folder in one more file.

    Args:
        folder: A folder that is complete.
        kind: What it is.
        job: Digest of what it was made from.
    """
    files = {
        name: {"size": path.stat().st_size, "sha256": file_sha256(path)}
        for name, path in files_of(folder)
        if name != MANIFEST
    }
    described = {"recsparse_version": version("recsparse"), "kind": kind, "job": job}
    write_toml(folder / MANIFEST, {**described, "files": files})


def read_manifest(folder: Path) -> Manifest | None:
    """Return what `write_manifest` wrote.

    Args:
        folder: Any folder.

    Returns:
        The manifest; None where there is none that can be read.
    """
    try:
        found = tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {
            name: FileRecord(int(each["size"]), str(each["sha256"]))
            for name, each in found["files"].items()
        }
        return Manifest(str(found["kind"]), str(found["job"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def check_file(folder: Path, name: str, record: FileRecord) -> None:
    """Raise an error unless a file is as it was written.

    Args:
        folder: The folder.
        name: The file's path in it.
        record: Its size and checksum.

    Raises:
        InputError: If it is missing, or its size or content is another.
    """
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"{path} must be the file that was written there, but there is none; copy the folder "
            "again, or make it anew"
        )
    size = path.stat().st_size
    if size != record.size:
        raise InputError(
            f"{path} must have {record.size:,} bytes, as it was written, but has {size:,}; copy "
            "the folder again, or make it anew"
        )
    found = file_sha256(path)
    if found != record.sha256:
        raise InputError(
            f"{path} must be as it was written (sha256 {record.sha256[:12]}…), but it is damaged "
            f"(sha256 {found[:12]}…); copy the folder again, or make it anew"
        )


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder at any depth, links and folders without a file included.

    Args:
        folder: A folder.

    Yields:
        The path in the folder, with `/`, and the path, sorted.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
            yield path.relative_to(folder).as_posix(), path


def file_sha256(path: Path) -> str:
    """Return the checksum of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
