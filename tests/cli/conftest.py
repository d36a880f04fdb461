import functools
import re
from collections import namedtuple

import pytest
import typer

# What an error must not say to somebody who typed a command: arguments, calls, errors of Python.
PYTHON = re.compile(
    r"\b(on_unknown|append_to|ids_from|continue_from|history_parts|with_history|rows_per_part)\b"
    r"|\b[a-z_]+='|[a-z_]\(\)|\w+\.\w+\(|\w(Error|Exception)\(|\bclass '"
)
PROGRESS = re.compile(r"\d\d:\d\d:\d\d ")
Outcome = namedtuple("Outcome", ["status", "out", "err"])


@functools.cache
def command_line():
    """The commands with their options; Typer itself collects them anew at each call."""
    from recsparse.cli.main import app

    return typer.main.get_command(app)


@pytest.fixture
def recsparse(workplace, capfd):
    """Run a command line in an empty folder; what was printed comes with the exit status."""
    from recsparse.cli.exit import exit_on_error

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            exit_on_error(
                lambda: command_line()([str(word) for word in words], prog_name="recsparse")
            )
        out, err = capfd.readouterr()
        # Of the progress, whose lines start with the time, there are tests of their own.
        err = "".join(line for line in err.splitlines(True) if not PROGRESS.match(line))
        outcome = Outcome(ended.value.code or 0, out, err)
        assert not PYTHON.search(outcome.err), outcome.err
        return outcome

    return run


def lines(text):
    """The lines of a log without their times; they hold no control characters."""
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    assert all(PROGRESS.match(line) for line in text.splitlines())
    return [PROGRESS.sub("", line) for line in text.splitlines()]


def sets(settings):
    return [word for setting in settings for word in ("--set", setting)]
