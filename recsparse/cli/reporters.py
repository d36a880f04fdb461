"""What commands show of their work on standard error: bars on a terminal, plain lines in a log."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Lock, Thread

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from recsparse.reporting.progress import SILENT, Advance, Reporter

# The longest that a log is without a line.
SECONDS_OF_SILENCE = 30.0


def progress(quiet: bool = False) -> Reporter:
    """Return who shows the progress of a command.

    Args:
        quiet: Show nothing.

    Returns:
        A reporter.
    """
    return SILENT if quiet else speaker()


def speaker() -> "TerminalReporter | LogReporter":
    """Return who shows the progress of a command and says more, by where standard error goes.

    Returns:
        Bars for a terminal, lines for a file or a pipe.
    """
    # rich takes some variables of the environment for a terminal.
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return TerminalReporter() if is_terminal else LogReporter()


class TerminalReporter:
    """Shows a bar for each piece of work, those of its parts below it."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars: Progress | None = None
        self.depth = 0

    def say(self, line: str) -> None:
        """Print a line above the bars.

        Args:
            line: What to say.
        """
        self.console.print(line, highlight=False, markup=False)

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar until the work is done.

        Args:
            description: What is done.
            total: Number of steps; None shows a spinner.

        Yields:
            A function that takes the number of steps done in all.
        """
        if self.bars is None:
            self.bars = self._started()
        bars, title = self.bars, "  " * self.depth + description
        bar = bars.add_task(title, total=total)
        self.depth += 1

        def advance(done: int, note: str = "") -> None:
            bars.update(bar, completed=done)
            if note:
                bars.update(bar, description=f"{title}: {note}", refresh=True)

        try:
            yield advance
        finally:
            self.depth -= 1
            bars.remove_task(bar)
            if self.depth == 0:
                bars.stop()
                self.bars = None

    def _started(self) -> Progress:
        text = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        bars = Progress(
            SpinnerColumn(),
            # As text, since names from data may hold what rich takes for markup.
            TextColumn("{task.description}", markup=False, table_column=text),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            expand=True,
        )
        bars.start()
        return bars


@dataclass
class _Work:
    """A piece of work that is under way."""

    description: str
    total: int | None
    done: int = 0
    note: str = ""
    # How much was done at the first report of a job that resumes.
    first: int | None = None
    started: float = field(default_factory=time.monotonic)

    def state(self) -> str:
        """Return how far it is, and what is left of it."""
        seconds = time.monotonic() - self.started
        parts = [self.note] if self.note else []
        if self.total:
            # Steps of a training say less than its epochs.
            parts += [] if self.note else [f"{self.done:,} of {self.total:,}"]
            parts.append(f"{100 * self.done // self.total} %")
        elif self.done and not self.note:
            parts.append(f"{self.done:,} done")
        parts.append(f"{_duration(seconds)} so far")
        achieved = self.done - (self.first or 0)
        if self.total and achieved > 0:
            left = seconds / achieved * max(self.total - self.done, 0)
            parts.append(f"some {_duration(left)} left")
        return ", ".join(parts)


class LogReporter:
    """Says what is done in plain lines: as a piece of work starts, what it reaches, and meanwhile.

    No more than half a minute is without a line.
    """

    def __init__(self) -> None:
        self.works: list[_Work] = []
        self.lock = Lock()
        self.last = time.monotonic()
        self.over = Event()

    def say(self, line: str) -> None:
        """Print a line.

        Args:
            line: What to say.
        """
        # Names from data may hold characters that control a terminal.
        plain = "".join(sign if sign.isprintable() else " " for sign in line).rstrip()
        with self.lock:
            self.last = time.monotonic()
            try:
                sys.stderr.write(f"{time.strftime('%H:%M:%S')} {plain}\n")
                sys.stderr.flush()
            except (OSError, ValueError):  # the log is no longer read; the job is worth more
                return

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """Say that a piece of work starts, and from time to time how far it is.

        Args:
            description: What is done.
            total: Number of steps; None where it is not known.

        Yields:
            A function that takes the number of steps done in all.
        """
        work = _Work(description, total)
        self.works.append(work)
        self.say(self._title())
        if len(self.works) == 1:
            self.over = Event()
            Thread(target=self._speak_up, args=(self.over,), daemon=True).start()

        def advance(done: int, note: str = "") -> None:
            if work.first is None:  # the first report of a job that resumes
                work.first = 0 if note else done
            work.done = done
            if note:
                work.note = note
                self.say(f"{self._title()}: {work.state()}")

        try:
            yield advance
        finally:
            self.works.remove(work)
            if not self.works:
                self.over.set()

    def _title(self) -> str:
        return " · ".join(work.description for work in self.works)

    def _speak_up(self, over: Event) -> None:
        while not over.wait(max(self.last + SECONDS_OF_SILENCE - time.monotonic(), 0.01)):
            works = [*self.works]
            if works and time.monotonic() - self.last >= SECONDS_OF_SILENCE:
                self.say(f"{self._title()}: {works[-1].state()}")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
