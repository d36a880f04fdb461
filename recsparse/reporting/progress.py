"""How a long job reports what it is doing, whatever shows it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable


@runtime_checkable
class Advance(Protocol):
    """Tells how far a piece of work is."""

    def __call__(self, done: int, note: str = "") -> None:
        """Tell how far it is.

        Args:
            done: Number of steps done in all.
            note: What has been reached, such as an epoch and its metric; worth a line in a log.
        """
        ...


@runtime_checkable
class Reporter(Protocol):
    """Shows the progress of a job."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Open a piece of work; those opened within are parts of it.

        Args:
            description: What is done.
            total: Number of steps; None where it is not known.

        Returns:
            A context that gives a function to call with the number of steps done in all.
        """
        ...


class SilentReporter:
    """Shows nothing."""

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """Open a piece of work whose progress is not shown.

        Args:
            description: What is done.
            total: Number of steps.

        Yields:
            A function without effect.
        """
        yield _unheard


def _unheard(done: int, note: str = "") -> None:
    """Show nothing."""


SILENT = SilentReporter()
