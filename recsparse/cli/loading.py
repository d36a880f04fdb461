"""Loading libraries, without looking for garbage among what stays as long as the process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from recsparse.reporting.progress import Reporter


def collect_no_garbage() -> None:
    """Look for no garbage until libraries are loaded.

    Python would look through all modules time and again while they load, and once more as the
    process ends: together a third of what a short command takes.
    """
    gc.disable()


@contextmanager
def loading_libraries(reporter: Reporter) -> Iterator[None]:
    """Show that libraries are loaded within; what is there afterwards is never looked through.

    Args:
        reporter: Shows it.

    Yields:
        Nothing; garbage is looked for again afterwards. Where it always was, as in a process that
        calls a command as a function, nothing is changed.
    """
    with reporter.task("loading libraries"):
        yield
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
