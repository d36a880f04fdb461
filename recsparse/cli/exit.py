"""How a command ends: its exit status, and one line that says why."""

import sys
from collections.abc import Callable

import typer

from recsparse.cli.interrupt import is_interrupted
from recsparse.environment import is_on
from recsparse.errors import RecsparseError

FAILED, BAD_INPUT = 1, 2
# A candidate that is not better ends a job well, and yet a job after it must not go on.
NOT_PROMOTED = 3


def exit_on_error(command: Callable[[], object]) -> None:
    """Run a command; exit with status 1 for a failed job, 2 for bad usage or bad input.

    Args:
        command: What to run.

    Raises:
        Exception: What went wrong, where RECSPARSE_TRACEBACK is set and it is a failed job, or a
            signal has come.
    """
    try:
        command()
    except RecsparseError as error:
        if is_interrupted():
            raise
        typer.secho(f"error: {_on_one_line(error)}", err=True, fg="red")
        sys.exit(BAD_INPUT)
    except Exception as error:
        if is_interrupted() or is_on("RECSPARSE_TRACEBACK"):
            raise
        what = f"{type(error).__name__}: {_on_one_line(error)}"
        message = f"{what}; RECSPARSE_TRACEBACK=1 shows where"
        typer.secho(f"failed: {message}", err=True, fg="red")
        sys.exit(FAILED)


def _on_one_line(error: Exception) -> str:
    # Arrow's messages, which some of ours quote, have several lines.
    return " ".join(str(error).split())
