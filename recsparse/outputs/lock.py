"""One job at a time for an output and its working folders; the system lets go of killed ones."""

import hashlib
import os
import socket
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from recsparse.config.toml_writer import write_toml
from recsparse.errors import OutputError
from recsparse.files.atomic import atomic_file


@contextmanager
def hold(places: Sequence[Path], command: str, job: str) -> Iterator[None]:
    """Keep other jobs from writing the same places.

    The locks are files among the temporary files of the user, so that nothing is left next to
    the output; they do not keep out other users and machines. The system releases them when a
    process ends, however it ends.

    Args:
        places: An output and its working folders, without links.
        command: What holds them, for those who are refused.
        job: Digest of what the job depends on.

    Yields:
        Nothing.

    Raises:
        OutputError: If another job holds one of them; it is named.
    """
    with ExitStack() as held:
        for place in sorted(set(places)):
            lock = _lock_file(place)
            held.enter_context(_held(lock, place))
            _holder_file(lock).unlink(missing_ok=True)
            held.callback(_holder_file(lock).unlink, missing_ok=True)
            _name_holder(lock, command, job)
        yield


@contextmanager
def _held(path: Path, place: Path) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(
            f"{place} must be written by one job at a time, but {_holder(path)} is writing it; "
            "wait for it, or name another --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _lock_file(place: Path) -> Path:
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return _lock_folder() / f"recsparse-{os.getuid()}-{name}.lock"


def _lock_folder() -> Path:
    # Not $TMPDIR where it can be helped: schedulers set another one for each job.
    fixed = Path("/tmp")
    return fixed if os.access(fixed, os.W_OK) else Path(tempfile.gettempdir())


def _holder_file(lock: Path) -> Path:
    return lock.with_suffix(".toml")


def _name_holder(lock: Path, command: str, job: str) -> None:
    holder = {
        "command": command,
        "job": job,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
    # Without it, the lock is as good.
    with suppress(OSError), atomic_file(_holder_file(lock)) as aside:
        write_toml(aside, holder)


def _holder(lock: Path) -> str:
    try:
        found = tomllib.loads(_holder_file(lock).read_text(encoding="utf-8"))
        return (
            f"`recsparse {found['command']}` (process {found['pid']} on {found['host']}, since "
            f"{found['since']}, job {found['job'][:12]})"
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
        return "another job"  # it has only just begun
