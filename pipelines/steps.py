"""Steps of a job that run only where their output is missing or what they depend on has changed."""

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsparse.config.toml_writer import write_toml
from recsparse.files.atomic import atomic_file

_BEGUN = " was begun"


class Steps:
    """Remembers, next to the outputs, what each of them was made from.

    Args:
        folder: Where the outputs and the record are.
        say: Called with one line for each step.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self._record = folder / "steps.toml"

    def run(self, output: Path, depends_on: Any, make: Callable[[], object]) -> None:
        """Make an output unless it is there and was made from the same.

        Args:
            output: The file or folder that `make` writes.
            depends_on: Anything whose `repr` changes when the output must be made anew.
            make: Makes it.
        """
        name, fingerprint = self._name(output), _fingerprint(depends_on)
        if output.exists() and self._read().get(name) == fingerprint:
            self.say(f"{name} is up to date")
            return
        self.say(f"making {name}")
        self._write(name + _BEGUN, fingerprint)
        make()
        self._write(name, fingerprint)

    def was_begun(self, output: Path, depends_on: Any) -> bool:
        """Say whether an output was begun from the same, so that its maker may resume.

        Args:
            output: The file or folder.
            depends_on: The same as for `run`.

        Returns:
            True where the last that was made, or begun, was made from the same.
        """
        return self._read().get(self._name(output) + _BEGUN) == _fingerprint(depends_on)

    def fingerprint(self, output: Path) -> str:
        """Return what identifies an output, for steps that depend on it.

        Args:
            output: A file or folder that a step has made.

        Returns:
            Its fingerprint.
        """
        return str(self._read()[self._name(output)])

    def _name(self, output: Path) -> str:
        return str(output.relative_to(self.folder))

    def _write(self, name: str, fingerprint: str) -> None:
        with atomic_file(self._record) as aside:
            write_toml(aside, {**self._read(), name: fingerprint})

    def _read(self) -> dict[str, Any]:
        if not self._record.is_file():
            return {}
        return tomllib.loads(self._record.read_text(encoding="utf-8"))


def file_state(paths: list[Path]) -> list[tuple[str, int, int]]:
    """Return what tells whether input files have changed.

    Args:
        paths: Files and folders.

    Returns:
        Path, size and time of change of every file, sorted.
    """
    files = [
        file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
    ]
    return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]


def _fingerprint(depends_on: Any) -> str:
    return hashlib.sha256(repr(depends_on).encode()).hexdigest()
