"""Short work that a signal must not interrupt."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_HELD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until a piece of work is done; a second one does not wait.

    A transaction that is cut leaves a lock on its database, for which the next one waits in vain.
    Only the main thread gets signals, so that others do their work as it is.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before: dict[int, object] = {number: signal.getsignal(number) for number in _HELD}

    def on_signal(number: int, frame: FrameType | None) -> None:
        waiting.append(number)
        if len(waiting) > 1:
            _pass_on(before[number], number, frame)

    # What is no function of Python's, such as to end the process or to ignore the signal, stays.
    held = {number: handler for number, handler in before.items() if callable(handler)}
    for number in held:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if waiting:
            _pass_on(before[waiting[0]], waiting[0], None)


def _pass_on(handler: object, number: int, frame: FrameType | None) -> None:
    if callable(handler):
        handler(number, frame)
