"""Outputs that replace only what this package wrote and can prove, and never what a job reads."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from recsparse.errors import OutputError
from recsparse.files.addresses import is_address, plain
from recsparse.files.atomic import (
    atomic_file,
    atomic_folder,
    clear_left_behind,
    make_folder,
    publish_folder,
    remove,
    remove_or_warn,
    require_writable,
    restore_folder,
)
from recsparse.files.filesystems import adopt
from recsparse.files.write_errors import as_output_errors
from recsparse.outputs.job import Job
from recsparse.outputs.lock import hold
from recsparse.outputs.manifest import files_of, write_manifest
from recsparse.outputs.places import clear_copies, local_place
from recsparse.outputs.proof import Evidence, Kind, require_apart_from_inputs, require_ours
from recsparse.outputs.remote import outline, require_writable_there, upload
from recsparse.reporting.progress import SILENT, Reporter


@dataclass(frozen=True)
class Output:
    """A place that a job may write, and no other job meanwhile.

    Attributes:
        out: As it was given: a path or an address.
        target: The file or folder on this machine, without links; that of an address is uploaded
            when it is complete.
        kind: What it is going to be.
        job: What it is made from.
        overwrite: Whether the output of another job may be replaced.
        found: What tells that nothing else was written there meanwhile.
        reporter: Shows what takes long once the output is made.
    """

    out: str | Path
    target: Path
    kind: Kind
    job: Job
    overwrite: bool
    found: tuple[object, ...]
    reporter: Reporter = SILENT

    def working_folder(self, ending: str) -> Path:
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
            OutputError: If it cannot be written, or something else was written there meanwhile.
        """
        with atomic_folder(self.target) as aside:
            yield aside
            with self.reporter.task("computing checksums"):
                write_manifest(aside, self.kind.name, self.job.digest)
            self.require_unchanged()
        if is_address(self.out):
            self._upload(self.target)
            adopt(self.out, self.target)  # for those who read it next

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Give a path to write to; the file appears at the target on success.

        Yields:
            The path.

        Raises:
            OutputError: If it cannot be written, or something else was written there meanwhile.
        """
        with atomic_file(self.target) as aside:
            yield aside
            self.require_unchanged()
        if is_address(self.out):
            self._upload(self.target)
            remove_or_warn(self.target)

    def publish(self, filled: Path) -> None:
        """Move a folder that was filled elsewhere to the target.

        Args:
            filled: The folder, on the same filesystem.

        Raises:
            OutputError: If something else was written there meanwhile.
        """
        self.require_unchanged()
        if is_address(self.out):
            self._upload(filled)
            remove_or_warn(filled)
        else:
            publish_folder(filled, self.target)

    def require_unchanged(self) -> None:
        """Raise an error if something else was written there since the job began.

        Raises:
            OutputError: If what is there now is not what was there, or may not be replaced.
        """
        found = _judged(self.out, self.target, self.kind, self.job, self.overwrite)
        if found != self.found:
            raise OutputError(
                f"{plain(self.out)} must be as it was when the job began, but something else was "
                "written there since, which is left as it is; start the job again"
            )

    def _upload(self, made: Path) -> None:
        with self.reporter.task("uploading"):
            upload(made, self.out, self.kind.name, self.job.digest)


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
    reporter: Reporter = SILENT,
) -> Iterator[Output]:
    """Take an output for a job: links followed, locked, and proved to be free or our own.

    What lies there may be replaced if it is nothing or an empty folder, or if this package wrote it
    in the same job. What it wrote in another job, or in an older build, needs `overwrite`. Never
    replaced are inputs of the job, folders that hold or lie in an input, and what this package did
    not write. Where a job is refused, nothing is touched.

    Args:
        out: A file or folder that may exist, or an address on another filesystem, which is written
            at once when the output is complete.
        kind: What is going to be written.
        job: What it is made from.
        overwrite: Replace what another job of this package wrote.
        working: Endings of the names of working folders next to the output, such as `.parts`.
        reporter: Shows the progress of what takes long.

    Yields:
        The place to write.

    Raises:
        OutputError: If the output is refused, its folder cannot be written, or another job is
            writing it.
    """
    target = local_place(out)
    places = [target, *(target.with_name(target.name + ending) for ending in working)]
    for place in places:
        require_apart_from_inputs(out, place, job)
    with hold(places, job.command, job.digest):
        restore_folder(target)
        # What lies elsewhere is looked at over the network.
        with reporter.task("looking at the output") if is_address(out) else nullcontext():
            found = _judged(out, target, kind, job, overwrite)
        make_folder(target.parent)
        clear_left_behind(target)
        require_writable(target)
        if is_address(out):
            require_writable_there(out, kind.is_folder)
            clear_copies(target.parent)
            remove(target)  # of an upload that failed
        with as_output_errors(*places):
            yield Output(out, target, kind, job, overwrite, found, reporter)


def require_replaceable(out: str | Path, kind: Kind, inputs: Sequence[str | Path]) -> None:
    """Raise an error early where `claim` would refuse an output, whatever the job.

    Args:
        out: A file or folder that may exist.
        kind: What is going to be written.
        inputs: What the job reads.

    Raises:
        OutputError: If the output is refused; nothing is touched.
    """
    target = local_place(out)
    job = Job.reading("", "", inputs)
    require_apart_from_inputs(out, target, job)
    _judged(out, target, kind, job, overwrite=True)


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
        inputs: Files, folders and addresses; None is left out.

    Raises:
        OutputError: If they are not apart.
    """
    require_apart_from_inputs(out, local_place(out), Job.reading("", "", inputs))


def _judged(
    out: str | Path, target: Path, kind: Kind, job: Job, overwrite: bool
) -> tuple[object, ...]:
    """Refuse what may not be replaced, and return what changes when something is written there."""
    if not is_address(out):
        require_ours(out, target, kind, job, overwrite)
        return _identity(target)
    with outline(out) as there:
        begun = there.upload
        is_ours = begun is not None and begun.kind == kind.name
        evidence = Evidence(begun.job, there.foreign) if begun is not None and is_ours else None
        require_ours(out, there.path, kind, job, overwrite, evidence)
        return there.states


def _identity(target: Path) -> tuple[int, ...]:
    """Return what changes when a file or folder is replaced in one step."""
    try:
        found = target.stat()
    except OSError:
        return ()
    # What is in a folder is proved by its manifest; a look into it changes its time at times.
    return found.st_dev, found.st_ino, *(() if target.is_dir() else (found.st_mtime_ns,))
