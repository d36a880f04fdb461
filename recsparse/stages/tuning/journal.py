"""The journal of a search, beside Optuna's own code: its lock, and its last line."""

from pathlib import Path

from filelock import FileLock


class JournalLock:
    """A lock of Optuna's journal that the system releases when a process is killed.

    Args:
        path: The file of the lock.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        """Wait for the lock, and take it.

        Returns:
            True.
        """
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


def end_last_line(journal: Path) -> None:
    """Cut off half a line that a full disk may have left, behind which Optuna reads nothing.

    Args:
        journal: The file, which need not be there.
    """
    if journal.is_file():
        written = journal.read_bytes()
        if written and not written.endswith(b"\n"):
            with journal.open("r+b") as file:
                file.truncate(written.rfind(b"\n") + 1)
