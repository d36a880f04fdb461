"""A job: the command that writes an output, and a digest of all that the output depends on."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recsparse.files.addresses import is_address, plain
from recsparse.files.stand_ins import content_of_frame
from recsparse.outputs.manifest import files_of, read_manifest

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Job:
    """What an output is made by and from.

    Attributes:
        command: The command, such as `train`.
        digest: Of all that the output depends on; jobs of one digest may replace each other's
            outputs and resume from each other's unfinished work.
        inputs: Local files and folders that are read.
        extends: The one input that may be the output itself.
        addresses: What is read on other filesystems.
    """

    command: str
    digest: str
    inputs: tuple[Path, ...] = ()
    extends: Path | None = None
    addresses: tuple[str, ...] = ()

    @classmethod
    def reading(cls, command: str, digest: str, inputs: Sequence[Paths | None]) -> "Job":
        """Describe a job of a known digest by what it reads.

        Args:
            command: The command.
            digest: Of all that the output depends on.
            inputs: Files, folders, globs and addresses; None is left out.

        Returns:
            The job.
        """
        local = [path for given in inputs for path in local_paths(given)]
        far = [address for given in inputs for address in _addresses(given)]
        return cls(command, digest, tuple(local), addresses=tuple(far))

    @classmethod
    def of(
        cls,
        command: str,
        inputs: Sequence[Paths | None],
        settings: Any = None,
        extends: str | Path | None = None,
    ) -> "Job":
        """Describe a job by its inputs and its options.

        A folder with a manifest and a frame count by their content, anything else by the resolved
        path, size and time of change of its files, and an address by its text.

        Args:
            command: The command.
            inputs: Files, folders and addresses; None is left out.
            settings: Anything whose `repr` changes when the output has to change.
            extends: One of the inputs, which may be the output itself.

        Returns:
            The job.
        """
        job = cls.reading(command, "", inputs)
        states = [*map(_state, job.inputs), *job.addresses]
        digest = hashlib.sha256(repr((command, states, settings)).encode()).hexdigest()
        return replace(job, digest=digest, extends=None if extends is None else Path(extends))


def local_paths(given: Paths | None) -> list[Path]:
    """Return the files and folders on this machine that an input names.

    Args:
        given: Paths, globs and addresses, one or several.

    Returns:
        Paths, of which those without wildcards need not exist; none for addresses elsewhere.
    """
    return [
        path
        for each in _each(given)
        if not is_address(each)
        for path in _matching(Path(plain(each)))
    ]


def _addresses(given: Paths | None) -> list[str]:
    return [plain(each) for each in _each(given) if is_address(each)]


def _each(given: Paths | None) -> Sequence[str | Path]:
    if given is None:
        return []
    return [given] if isinstance(given, (str, Path)) else given


def _matching(path: Path) -> list[Path]:
    if any(sign in str(path) for sign in "*?[") and not path.exists():
        root = Path(path.anchor)
        return sorted(root.glob(str(path.relative_to(root))))
    return [path]


def _state(given: Path) -> Any:
    """Return what tells whether an input has changed."""
    if (content := content_of_frame(given)) is not None:
        return content
    path = Path(os.path.realpath(given))
    manifest = read_manifest(path)
    if manifest is not None:
        return manifest.digest
    files = [file for _, file in files_of(path)] if path.is_dir() else [path]
    states = [(str(file), file.stat()) for file in files if file.is_file()]
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]
