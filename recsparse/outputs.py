"""Outputs that replace only what this package wrote and can prove, and never what a job reads."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from recsparse.atomic import (
    atomic_file,
    atomic_folder,
    clear_left_behind,
    follow_links,
    make_folder,
    publish_folder,
    require_writable,
    restore_folder,
)
from recsparse.errors import OutputError
from recsparse.job import Job, local_paths
from recsparse.manifest import files_of, write_manifest
from recsparse.output_errors import as_output_errors
from recsparse.output_lock import hold

_SHOWN = 3


@dataclass(frozen=True)
class Evidence:
    """What proves that this package wrote what lies at a path.

    Attributes:
        job: Digest of the job; None where an older build wrote it, or it was changed since.
        foreign: Path in the folder of a file that this package did not write, if there is one.
    """

    job: str | None
    foreign: str | None = None


@runtime_checkable
class Kind(Protocol):
    """What an output is."""

    @property
    def name(self) -> str:
        """In a word, such as `model`."""

    @property
    def title(self) -> str:
        """With its article, such as `a model folder`."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder and no file."""

    def evidence(self, target: Path) -> Evidence | None:
        """Return what proves that `target` is such an output of this package, if anything does."""


@dataclass(frozen=True)
class Output:
    """A place that a job may write, and no other job meanwhile.

    Attributes:
        target: The file or folder, without links.
        kind: What it is going to be.
        job: What it is made from.
        overwrite: Whether the output of another job may be replaced.
        found: What tells that nobody else has written there meanwhile.
    """

    target: Path
    kind: Kind
    job: Job
    overwrite: bool
    found: tuple[int, ...]

    def beside(self, ending: str) -> Path:
        """Return the working folder of an ending.

        Args:
            ending: Such as `.parts`.

        Returns:
            A path in the folder of the target.
        """
        return self.target.with_name(self.target.name + ending)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder to fill; it appears at the target on success, with a manifest.

        Yields:
            The folder.

        Raises:
            OutputError: If it cannot be written, or somebody else wrote there meanwhile.
        """
        with atomic_folder(self.target) as aside:
            yield aside
            write_manifest(aside, self.kind.name, self.job.digest)
            self.require_unchanged()

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Give a path to write to; the file appears at the target on success.

        Yields:
            The path.

        Raises:
            OutputError: If it cannot be written, or somebody else wrote there meanwhile.
        """
        with atomic_file(self.target) as aside:
            yield aside
            self.require_unchanged()

    def publish(self, filled: Path) -> None:
        """Move a folder that was filled elsewhere to the target.

        Args:
            filled: The folder, on the same filesystem.

        Raises:
            OutputError: If somebody else wrote there meanwhile.
        """
        self.require_unchanged()
        publish_folder(filled, self.target)

    def require_unchanged(self) -> None:
        """Raise an error if somebody else has written there since the job began.

        Raises:
            OutputError: If what is there now is not what was there, or may not be replaced.
        """
        _require_replaceable(self.target, self.target, self.kind, self.job, self.overwrite)
        if _identity(self.target) != self.found:
            raise OutputError(
                f"{self.target} must be as it was when the job began, but somebody else has "
                "written there since, which is left as it is; start the job again"
            )


@contextmanager
def filled_folder(out: str | Path | Output, kind: Kind, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill, which appears at an output on success.

    Args:
        out: A claimed output, or a path to claim for this alone.
        kind: What is going to be written.
        overwrite: Replace what this package wrote at the path.

    Yields:
        The folder.

    Raises:
        OutputError: If the output is refused, or cannot be written.
    """
    if isinstance(out, Output):
        with out.folder() as aside:
            yield aside
        return
    with claim(out, kind, Job("", uuid.uuid4().hex), overwrite) as output, output.folder() as aside:
        yield aside


@contextmanager
def claim(
    out: str | Path,
    kind: Kind,
    job: Job,
    overwrite: bool = False,
    working: Sequence[str] = (),
) -> Iterator[Output]:
    """Take an output for a job: links followed, locked, and proved to be free or our own.

    What lies there may be replaced if it is nothing or an empty folder, or if this package wrote it
    in the same job. What it wrote in another job, or in an older build, needs `overwrite`. Never
    replaced are inputs of the job, folders that hold or lie in an input, and what this package did
    not write. Where a job is refused, nothing is touched.

    Args:
        out: A file or folder that may exist.
        kind: What is going to be written.
        job: What it is made from.
        overwrite: Replace what another job of this package wrote.
        working: Endings of the names of working folders beside the output, such as `.parts`.

    Yields:
        The place to write.

    Raises:
        OutputError: If the output is refused, its folder cannot be written, or another job is
            writing it.
    """
    target = follow_links(out)
    places = [target, *(target.with_name(target.name + ending) for ending in working)]
    for place in places:
        _require_apart(out, place, job)
    with hold(places, job.command, job.digest):
        restore_folder(target)
        _require_replaceable(out, target, kind, job, overwrite)
        make_folder(target.parent)
        clear_left_behind(target)
        require_writable(target)
        with as_output_errors(*places):
            yield Output(target, kind, job, overwrite, _identity(target))


def require_replaceable(out: str | Path, kind: Kind, inputs: Sequence[str | Path]) -> None:
    """Raise an error early where `claim` would refuse an output, whatever the job.

    Args:
        out: A file or folder that may exist.
        kind: What is going to be written.
        inputs: What the job reads.

    Raises:
        OutputError: If the output is refused; nothing is touched.
    """
    target = follow_links(out)
    job = Job("", "", tuple(local_paths(inputs)))
    _require_apart(out, target, job)
    _require_replaceable(out, target, kind, job, overwrite=True)


def require_own_files(folder: Path, is_own: Callable[[str], object]) -> None:
    """Raise an error if a working folder holds what no job of ours writes there.

    Args:
        folder: A folder that need not exist.
        is_own: Says whether a path in the folder is ours.

    Raises:
        OutputError: If something else is there; nothing is touched.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        foreign = "something else"
    else:
        foreign = next((name for name, _ in files_of(folder) if not is_own(name)), "")
    if foreign:
        raise OutputError(
            f"{folder} must be free for the job's own files, but holds {foreign}, which recsparse "
            "did not write; nothing was touched; name another --out"
        )


def require_apart(out: str | Path, inputs: Sequence[str | Path | None]) -> None:
    """Raise an error if an output is an input, lies in one, or holds one.

    Args:
        out: A file or folder that may exist.
        inputs: Local files and folders; None is left out.

    Raises:
        OutputError: If they are not apart.
    """
    given = local_paths([each for each in inputs if each is not None])
    _require_apart(out, follow_links(out), Job("", "", tuple(given)))


def _require_apart(out: str | Path, place: Path, job: Job) -> None:
    for given in job.inputs:
        read = Path(os.path.realpath(given))
        if place == read or _is_same_file(place, read):
            if _extends(job, place):
                continue
            how = "it is"
        elif read in place.parents and read.is_dir():
            how = "it lies in"
        elif place in read.parents:
            how = "it holds"
        else:
            continue
        raise OutputError(
            f"{out} must lie apart from all that the job reads, but {how} {given}; nothing was "
            "touched; name another --out"
        )


def _extends(job: Job, target: Path) -> bool:
    return job.extends is not None and target == Path(os.path.realpath(job.extends))


def _is_same_file(one: Path, other: Path) -> bool:
    # On some filesystems two spellings are one file.
    try:
        return one.samefile(other) and one.is_dir() == other.is_dir()
    except OSError:
        return False


def _require_replaceable(
    out: str | Path, target: Path, kind: Kind, job: Job, overwrite: bool
) -> None:
    if not target.exists():
        return
    if target.is_dir() != kind.is_folder:
        wanted, found = ("folder", "file") if kind.is_folder else ("file", "folder")
        raise OutputError(
            f"{out} must be a {wanted} for {kind.title}, but there is a {found}; nothing was "
            "touched; give another name"
        )
    if kind.is_folder and not any(target.iterdir()):
        return
    evidence = kind.evidence(target)
    if evidence is None or evidence.foreign is not None:
        raise OutputError(
            f"{out} must be new, empty, or {kind.title} that recsparse wrote, but "
            f"{_what_else(target, evidence)}; nothing was touched; name another --out"
        )
    if evidence.job != job.digest and not overwrite and not _extends(job, target):
        made = "an older build, or changed since" if evidence.job is None else "another job"
        raise OutputError(
            f"{out} holds {kind.title} of {made} (other input or other options); nothing was "
            "touched; pass --overwrite to replace it, or name another --out"
        )


def _what_else(target: Path, evidence: Evidence | None) -> str:
    if evidence is not None:
        return f"it holds {evidence.foreign}, which recsparse did not write"
    if target.is_dir():
        names = [name for name, _ in files_of(target)]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"it is none: it holds {', '.join(names[:_SHOWN])}{more}"
    return "there is another file"


def _identity(target: Path) -> tuple[int, ...]:
    """Return what changes when somebody else writes a file or folder in one step."""
    try:
        found = target.stat()
    except OSError:
        return ()
    # What is in a folder is proved by its manifest; a look into it changes its time at times.
    return found.st_dev, found.st_ino, *(() if target.is_dir() else (found.st_mtime_ns,))
