"""Kinds of outputs and their proofs: folders by a manifest, text files by a last line."""

import hashlib
import re
import tomllib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from recsparse.outputs.manifest import MANIFEST, files_of, read_manifest
from recsparse.outputs.proof import Evidence

_STAMP = re.compile(r"recsparse job (?P<job>[0-9a-f]*) sha256 (?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class FolderKind:
    """A folder whose manifest names its files.

    Attributes:
        name: In a word.
        title: With its article.
        older: Says whether an older build, which wrote no manifest, wrote a folder.
        older_names: Patterns of the paths of the files that it wrote.
    """

    name: str
    title: str
    older: Callable[[Path], bool]
    older_names: Sequence[str]

    @property
    def is_folder(self) -> bool:
        """It is."""
        return True

    def evidence(self, target: Path) -> Evidence | None:
        """Return what the manifest proves, or the files that only this package writes.

        Args:
            target: A folder.

        Returns:
            The job, None where a file is missing or of another size, and the first foreign file.
        """
        manifest, names = read_manifest(target), [name for name, _ in files_of(target)]
        if manifest is None:
            if not self.older(target):
                return None
            patterns = self.older_names
            foreign = [name for name in names if not any(fnmatchcase(name, p) for p in patterns)]
            return Evidence(None, next(iter(foreign), None))
        if manifest.kind != self.name:
            return None
        foreign = [name for name in names if name != MANIFEST and name not in manifest.files]
        is_whole = all(
            (target / name).is_file() and (target / name).stat().st_size == record.size
            for name, record in manifest.files.items()
        )
        return Evidence(manifest.job if is_whole else None, next(iter(foreign), None))


@dataclass(frozen=True)
class TextKind:
    """A text file whose last line proves who wrote it.

    Attributes:
        name: In a word.
        title: With its article.
        comment: What a comment begins and ends with in such a file.
        older: Says whether an older build, which wrote no such line, may have written a text.
    """

    name: str
    title: str
    comment: tuple[str, str]
    older: Callable[[str], bool]

    @property
    def is_folder(self) -> bool:
        """It is not."""
        return False

    def signed(self, text: str, job: str) -> str:
        """Return a text with one line more, which proves who wrote it.

        Args:
            text: Lines.
            job: Digest of the job.

        Returns:
            The text to write.
        """
        start, end = self.comment
        return f"{text}{start}recsparse job {job} sha256 {_sha256(text)}{end}\n"

    def evidence(self, target: Path) -> Evidence | None:
        """Return what the last line proves.

        Args:
            target: A file.

        Returns:
            The job, None where the text was changed since.
        """
        try:
            text = target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        body, _, last = text.rstrip("\n").rpartition("\n")
        found = _STAMP.search(last)
        if found is None:
            return Evidence(None) if self.older(text) else None
        return Evidence(found["job"] if _sha256(f"{body}\n") == found["sha256"] else None)


def describes_itself(folder: Path, name: str, keys: Collection[str]) -> bool:
    """Say whether a folder has a TOML file with some keys, as folders of older builds have.

    Args:
        folder: Any folder.
        name: Of the file in it.
        keys: At its top level.

    Returns:
        False, too, where the file is missing or cannot be read.
    """
    try:
        described = tomllib.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return described.keys() >= set(keys)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
