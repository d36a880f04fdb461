"""How a long job tells what it is doing, without knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

Advance = Callable[[int], None]


@runtime_checkable
class Reporter(Protocol):
    """Whoever shows the progress of a job."""

    shows_progress: bool

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Open a piece of work.

        Args:
            description: What is done.
            total: Number of steps; None where nobody knows.

        Returns:
            A context that gives a function to call with the number of steps done in all.
        """
        ...


class SilentReporter:
    """Shows nothing."""

    shows_progress = False

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """Open a piece of work that nobody watches.

        Args:
            description: What is done.
            total: Number of steps.

        Yields:
            A function without effect.
        """
        yield lambda done: None


SILENT = SilentReporter()
