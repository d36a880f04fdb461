"""Proofs of outputs: what may be replaced, since this package wrote it and no job reads it."""

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable
from urllib.parse import unquote

from recsparse.errors import OutputError
from recsparse.files.addresses import is_address, plain
from recsparse.files.filesystems import origin_of
from recsparse.outputs.job import Job
from recsparse.outputs.manifest import files_of

_SHOWN = 3
# Names of one kind of filesystem.
_ONE_SCHEME = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs", "az": "abfs"}


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


def require_apart_from_inputs(out: str | Path, place: Path, job: Job) -> None:
    """Raise an error if an output or its working folder is an input, lies in one, or holds one.

    Args:
        out: The output as it was given.
        place: The output, or a working folder, on this machine.
        job: What it is made from.

    Raises:
        OutputError: If they are not apart.
    """
    if is_address(out):
        _require_apart_there(out, job)
        return
    for given in job.inputs:
        read = Path(os.path.realpath(given))
        if place == read or _is_same_file(place, read):
            if _extends(job, out, place):
                continue
            how = "it is"
        elif read in place.parents and read.is_dir():
            how = "it lies in"
        elif place in read.parents:
            how = "it holds"
        else:
            continue
        _refuse(out, how, given)


def _require_apart_there(out: str | Path, job: Job) -> None:
    origins = (origin_of(given) for given in job.inputs)
    ours = _steps(out)
    for given in (*job.addresses, *(origin for origin in origins if origin is not None)):
        read = _steps(given)
        if not all(fnmatchcase(*steps) for steps in zip(ours, read, strict=False)):
            continue
        if len(ours) > len(read):
            _refuse(out, "it lies in", given)
        if len(ours) < len(read):
            _refuse(out, "it holds", given)
        if not _extends(job, out, Path()):
            _refuse(out, "it is", given)


def _refuse(out: str | Path, how: str, given: str | Path) -> NoReturn:
    raise OutputError(
        f"{out} must lie apart from all that the job reads, but {how} {given}; nothing was "
        "touched; name another --out"
    )


def _extends(job: Job, out: str | Path, target: Path) -> bool:
    if job.extends is None:
        return False
    if is_address(out):
        return _steps(origin_of(job.extends) or job.extends) == _steps(out)
    return target == Path(os.path.realpath(job.extends))


def _steps(place: str | Path) -> list[str]:
    """Return the kind of an address and the names in it, without settings."""
    scheme, _, rest = plain(place).partition("://")
    names = unquote(rest.partition("?")[0]).split("/")
    scheme = _ONE_SCHEME.get(scheme.lower(), scheme.lower())
    return [scheme, *(name for name in names if name not in ("", "."))]


def _is_same_file(one: Path, other: Path) -> bool:
    # On some filesystems two spellings are one file.
    try:
        return one.samefile(other) and one.is_dir() == other.is_dir()
    except OSError:
        return False


def require_ours(
    out: str | Path,
    target: Path,
    kind: Kind,
    job: Job,
    overwrite: bool,
    evidence: Evidence | None = None,
) -> None:
    """Raise an error if what is at an output may not be replaced.

    Args:
        out: The output as it was given.
        target: What lies there, on this machine.
        kind: What is going to be written.
        job: What it is made from.
        overwrite: Whether the output of another job may be replaced.
        evidence: What proves who wrote it, where that is known already.

    Raises:
        OutputError: If it may not.
    """
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
    evidence = evidence or kind.evidence(target)
    if evidence is None or evidence.foreign is not None:
        raise OutputError(
            f"{out} must be new, empty, or {kind.title} that recsparse wrote, but "
            f"{_what_else(target, evidence)}; nothing was touched; name another --out"
        )
    if evidence.job != job.digest and not overwrite and not _extends(job, out, target):
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
