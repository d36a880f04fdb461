"""Ctrl-C and SIGTERM: a command ends within seconds, and one line says what was kept."""

import atexit
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
# Seconds to clean up; then the process ends all the same.
_GRACE_SECONDS = 1.5
_RETRY_SECONDS = 0.1


class Interruption(BaseException):
    """Ends the work; no `except Exception` or `except KeyboardInterrupt` of a library stops it."""


class _State:
    """What was received, and what is then said."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.tell: Callable[[], str] = lambda: (
            f"nothing new is kept; start again with `{command()}`"
        )


_state = _State()


def is_interrupted() -> bool:
    """Say whether a signal has come: what fails then, fails by that."""
    return bool(_state.received)


def when_interrupted(tell: Callable[[], str]) -> None:
    """Set what is said where the command is interrupted.

    Args:
        tell: Returns what was kept, and how to resume.
    """
    _state.tell = tell


def command(*more: str, without: str = "") -> str:
    """Return the command line that is running.

    Args:
        *more: Options to add, unless they are there.
        without: An option to leave out.

    Returns:
        Text for a shell.
    """
    given = [each for each in sys.argv[1:] if each != without]
    return shlex.join(["recsparse", *given, *(each for each in more if each not in given)])


def training_kept(out: Path) -> str:
    """Say what is kept of an interrupted training.

    Args:
        out: The model folder that it writes.

    Returns:
        A clause with the command that resumes.
    """
    folder = out.with_name(out.name + ".checkpoints")
    again = command("--resume", without="--fresh")
    if not any(folder.rglob("*.safetensors")):
        return f"no epoch was complete, nothing new is kept; start again with `{command()}`"
    return f"{folder} keeps all complete epochs; resume with `{again}`"


def trials_kept(out: Path, of_kinds: bool = False) -> str:
    """Say what is kept of an interrupted search.

    Args:
        out: The configuration that it writes, or the folder of several.
        of_kinds: Whether it is a folder.

    Returns:
        A clause with the command that resumes.
    """
    again = command(without="--fresh")
    folders = [*out.glob("*.search")] if of_kinds else [out.with_name(out.name + ".search")]
    if not any((folder / "trials.journal").is_file() for folder in folders):
        return f"nothing new is kept; start again with `{again}`"
    kept = out if of_kinds else folders[0]
    return f"{kept} keeps the trials that ended; resume with `{again}`"


def parts_kept(out: Path) -> str:
    """Say what is kept of an interrupted batch job.

    Args:
        out: The output that it writes.

    Returns:
        A clause with the command that resumes.
    """
    return _kept(out.with_name(out.name + ".parts"), "part-*.parquet", "part", "part")


def cells_kept(out: Path) -> str:
    """Say what is kept of an interrupted backtest.

    Args:
        out: The folder that it writes.

    Returns:
        A clause with the command that resumes.
    """
    return _kept(out.with_name(out.name + ".cells"), "cell-*.parquet", "model", "fit")


def _kept(folder: Path, pattern: str, whole: str, piece: str) -> str:
    count = len([*folder.glob(pattern)])
    if not count:
        return f"no {whole} was complete, nothing new is kept; start again with `{command()}`"
    return f"{folder} keeps {count} complete {piece}{'s' * (count > 1)}; resume with `{command()}`"


@contextmanager
def ending_on_signals(for_good: bool = False) -> Iterator[None]:
    """End the process on SIGINT with status 130, on SIGTERM with 143, whatever it is doing.

    The work gets an exception and 1.5 seconds to clean up. Where that does not come through, since
    the main thread is inside of compiled code, or a library swallows it, the process ends without.

    Args:
        for_good: Whether the process has nothing to do afterwards, so that a signal that comes
            while Python shuts down ends it likewise.

    Yields:
        Nothing.

    Raises:
        BaseException: What ended the work, where it was no signal.
    """
    if for_good:
        # The first that is registered is the last that is called.
        atexit.register(_ignore_signals)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, _on_signal) for number in _STATUS}
    # C code writes the signal's number at once, even while no Python code can run.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_end_after, args=(reading,), daemon=True).start()
    try:
        yield
    except BaseException:
        # Whatever a library made of the exception: DuckDB, click and Lightning have their own.
        if is_interrupted():
            _end(_state.received[0])
        raise
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, _on_late_signal if for_good else handler)
        os.close(writing)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        # Compiled modules that are cut while they are made may abort the process.
        again = threading.Timer(_RETRY_SECONDS, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return
    _state.received.append(number)
    if len(_state.received) > 1:
        _end(_state.received[0])
    raise Interruption


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _on_late_signal(number: int, frame: FrameType | None) -> None:
    when_interrupted(lambda: "all was done before")
    _end(number)


def _ignore_signals() -> None:
    # From here on Python has no handlers of its own: a signal would end what is done with its own
    # status.
    for number in _STATUS:
        signal.signal(number, signal.SIG_IGN)


def _end_after(reading: int) -> None:
    while numbers := os.read(reading, 16):
        for number in numbers:
            if number in _STATUS:
                time.sleep(_GRACE_SECONDS)
                _end(number)
    os.close(reading)


def _end(number: int) -> NoReturn:
    try:
        text = _state.tell()
    except Exception as error:
        text = f"what is kept is not known: {error}"
    sys.stdout.flush()
    # Not by sys.stderr, whose lock the main thread may hold; a bar may have hidden the cursor.
    shown = "\x1b[?25h\r\x1b[K" if os.isatty(2) else ""
    os.write(2, f"{shown}interrupted: {' '.join(text.split())}\n".encode(errors="replace"))
    os._exit(_STATUS[signal.Signals(number)])
