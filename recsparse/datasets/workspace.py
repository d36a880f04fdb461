"""Workspace: a folder to spill to and a DuckDB with a memory limit, both gone afterwards."""

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import duckdb
import pyarrow as pa

from recsparse.errors import InputError, OutputError
from recsparse.files.addresses import local_path
from recsparse.files.atomic import make_folder, remove, remove_or_warn
from recsparse.files.write_errors import NO_SPACE


@dataclass(frozen=True)
class Resources:
    """What a job may use; nothing of it changes a result.

    Attributes:
        memory: What DuckDB may hold before it spills, such as `4GB`; None for half of the
            machine's memory. The rest of the process takes less than 1 GB, and some 100 bytes for
            each distinct user and item.
        threads: Threads of DuckDB; None for all cores.
        spill: A folder for temporary files; None for a folder next to the output.
    """

    memory: str | None = None
    threads: int | None = None
    spill: Path | None = None

    @classmethod
    def named(
        cls, memory: str | None, threads: int | None, spill: str | Path | None
    ) -> "Resources":
        """Return resources whose folder is named as on the command line.

        Args:
            memory: What DuckDB may hold.
            threads: Threads of DuckDB.
            spill: A path, or an address that starts with `file:`.

        Returns:
            The resources.

        Raises:
            OutputError: If the folder lies on another filesystem.
        """
        return cls(memory, threads, None if spill is None else local_path(spill))


@dataclass(frozen=True)
class Workspace:
    """Room to work in.

    Attributes:
        folder: For temporary files.
        database: A DuckDB that spills into it.
    """

    folder: Path
    database: duckdb.DuckDBPyConnection


@contextmanager
def workspace(resources: Resources, target: Path) -> Iterator[Workspace]:
    """Open a workspace, and clear what a killed process left of an earlier one.

    Args:
        resources: What it may use.
        target: What is made in it, by this process alone; temporary files go next to it unless
            `resources` names a folder.

    Yields:
        The workspace; its files are removed afterwards.

    Raises:
        InputError: If the memory limit cannot be read, or is too small for the work.
        OutputError: If there is no room left to spill.
    """
    folder = _spill_folder(resources.spill or target.parent, target)
    remove(folder)
    make_folder(folder)
    try:
        with _database_errors(resources, folder, target), duckdb.connect() as database:
            _configure(database, resources, folder)
            yield Workspace(folder, database)
    finally:
        remove_or_warn(folder)


def _spill_folder(parent: Path, target: Path) -> Path:
    # The same for each run, so that the next one finds what a killed one left; another one for
    # other outputs, and on other machines, that spill to the same place.
    owner = md5(f"{platform.node()}:{target.resolve()}".encode(), usedforsecurity=False)
    return parent / f".{target.name}.{owner.hexdigest()[:8]}.spill"


def _configure(database: duckdb.DuckDBPyConnection, resources: Resources, folder: Path) -> None:
    database.execute("SET temp_directory = ?", [str(folder)])
    # In a notebook without ipywidgets DuckDB refuses to turn off even a bar that is off.
    if database.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]:
        database.execute("SET enable_progress_bar = false")
    memory = _half_of_the_memory(database) if resources.memory is None else resources.memory
    try:
        database.execute("SET memory_limit = ?", [memory])
    except duckdb.ParserException as error:
        raise InputError(
            f"memory must be a size such as 4GB or 500MB, but is {memory!r}: {error}"
        ) from error
    if resources.threads is not None:
        if resources.threads < 1:
            raise InputError(f"threads must be at least 1, but are {resources.threads}")
        database.execute("SET threads = ?", [resources.threads])


def _half_of_the_memory(database: duckdb.DuckDBPyConnection) -> str:
    # DuckDB itself takes 80 % of what the machine, or the container, has.
    found = database.execute("SELECT current_setting('memory_limit')").fetchall()
    amount, unit = str(found[0][0]).split()
    return f"{float(amount) * 0.5 / 0.8:.3f} {unit}"


@contextmanager
def _database_errors(resources: Resources, folder: Path, target: Path) -> Iterator[None]:
    try:
        yield
    # Where Arrow reads DuckDB's results, it raises errors of its own kinds with DuckDB's text.
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        text = str(error)
        what = text.partition("\n")[0]
        is_full = isinstance(error, OSError) and _is_spill_full(error, folder, target)
        if what.startswith("IO Error") or "max_temp_directory_size" in text or is_full:
            raise OutputError(
                f"{folder.parent} must have room for temporary files, but {what}; what was there "
                "before is untouched; free some space, or name another folder by --spill"
            ) from error
        if what.startswith("Out of Memory Error"):
            raise InputError(
                f"{resources.memory or 'half'} of memory must be enough for a block of rows, but "
                f"{what}; give more by --memory, or fewer --threads"
            ) from error
        raise


def _is_spill_full(error: OSError, folder: Path, target: Path) -> bool:
    """Say whether it is the disk of the temporary files that is full, and not the output's."""
    if error.errno not in NO_SPACE:
        return False
    if isinstance(error.filename, str):
        return folder in Path(error.filename).parents
    # A write does not say which file it was of.
    room = [_free(place) for place in (folder, target.parent)]
    return folder.stat().st_dev != target.parent.stat().st_dev and room[0] < room[1]


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free
